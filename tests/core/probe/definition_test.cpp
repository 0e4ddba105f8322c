// Definitions of probes, and refusals in our words.

#include "core/probe/definition.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace kvmscope::probe {
namespace {

const Probe load{.event = "load",
                 .place = "kvm:kvm_mmu_load",
                 .args = {{.text = "vcpu->vcpu_id", .field = "id", .fetch = "+36(%di):u32"},
                          {.text = "vcpu", .field = "vcpu", .fetch = "%di:x64"}}};

TEST(Definitions, AreLinesOfKprobeEvents) {
  EXPECT_EQ(definition(load, "kvmscope_1_2"),
            "p:kvmscope_1_2/load kvm:kvm_mmu_load id=+36(%di):u32 vcpu=%di:x64");
  EXPECT_EQ(definition({.event = "done", .place = "kvm:f", .at_return = true}, "g"),
            "r:g/done kvm:f");
}

TEST(Refusals, PointAtThePlaceInOurWords) {
  const std::string line = definition(load, "kvmscope_1_2");
  const std::string log =
      "[    1.000000] trace_kprobe: error: Unknown type is specified\n"
      "  Command: p:other/x kvm:y a=%di:z\n"
      "                             ^\n"
      "[   12.345678] trace_kprobe: error: Invalid probed address or symbol\n"
      "  Command: p:kvmscope_1_2/load kvm:kvm_mmu_load id=+36(%di):u32 vcpu=%di:x64\n"
      "                               ^\n";
  EXPECT_EQ(refusal(line, ENOENT, log),
            "the kernel refused 'p:kvmscope_1_2/load kvm:kvm_mmu_load id=+36(%di):u32 "
            "vcpu=%di:x64' at 'kvm:kvm_mmu_load': the kernel has no such function, or none that "
            "may be probed: is its module loaded?");
}

TEST(Refusals, WithoutAnEntryOfTheirOwnSayTheReason) {
  const std::string line = definition(load, "g");
  EXPECT_EQ(refusal(line, EACCES, ""),
            "the kernel refused '" + line +
                "': not allowed: run it as root; the kernel may be locked down (lockdown)");
  EXPECT_EQ(refusal(line, EINVAL, "[ 1.0] trace_kprobe: error: X\n  Command: p:other/x y\n  ^\n"),
            "the kernel refused '" + line + "': Invalid argument");
}

TEST(Refusals, ShowAMessageThatIsNewAsItIs) {
  EXPECT_EQ(
      refusal("p:g/e f", EINVAL, "[ 1.0] trace_kprobe: error: Brand new\n  Command: p:g/e f\n"),
      "the kernel refused 'p:g/e f' at 'p:g/e': Brand new");
}

TEST(Refusals, SurviveALogThatIsCutAnywhere) {
  const std::string log =
      "[ 1.0] trace_kprobe: error: Invalid bitfield\n  Command: p:g/e f\n                 ^\n";
  for (std::size_t size = 0; size <= log.size(); ++size)
    EXPECT_NE(refusal("p:g/e f", EINVAL, log.substr(0, size)), "");
}

}  // namespace
}  // namespace kvmscope::probe
