// Probes armed in a tracefs that keeps the kernel's rules.

#include "core/probe/armed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_tracefs.hpp"

namespace kvmscope::probe {
namespace {

const std::vector<Probe> probes = {
    {.event = "load", .place = "kvm:kvm_mmu_load", .args = {{.field = "id", .fetch = "%di"}}},
    {.event = "switch", .place = "kvm:kvm_mmu_new_pgd"}};
const std::string name = "kvmscope_1_2";

struct Kernel {
  FakeTracefs tracefs;
  std::string before;
  Kernel() {
    tracefs.add_tracepoint("kvmmmu", "kvm_mmu_get_page",
                           "\tfield:u64 gfn;\toffset:8;\tsize:8;\tsigned:0;\n");
    tracefs.add_event("somebody", "load");
    tracefs.set_missed("load", 3);
    before = tracefs.state();
  }
};

TEST(Armed, EnablesEverythingInAnInstanceOfItsOwnAndStartsAtOneMoment) {
  Kernel kernel;
  Armed armed(kernel.tracefs, name, probes, {"kvmmmu/kvm_mmu_get_page"});
  EXPECT_EQ(kernel.tracefs.state(),
            "kvmscope_1_2: kvmmmu/kvm_mmu_get_page kvmscope_1_2/load kvmscope_1_2/switch\n"
            "p:somebody/load somewhere\n"
            "p:kvmscope_1_2/load kvm:kvm_mmu_load id=%di\n"
            "p:kvmscope_1_2/switch kvm:kvm_mmu_new_pgd\n");
  ASSERT_EQ(armed.formats().size(), 3U);
  EXPECT_EQ(armed.formats()[0].name, "load");
  EXPECT_EQ(armed.formats()[2].name, "kvm_mmu_get_page");
  EXPECT_EQ(kernel.tracefs.text("instances/kvmscope_1_2/tracing_on"), "0");
  EXPECT_EQ(kernel.tracefs.text("instances/kvmscope_1_2/trace_clock"), "mono");
  armed.start();
  EXPECT_EQ(kernel.tracefs.text("instances/kvmscope_1_2/tracing_on"), "1");
}

TEST(Armed, FiltersTheHitsOfProbesInTheKernel) {
  Kernel kernel;
  const Armed armed(kernel.tracefs, name, probes, {"kvmmmu/kvm_mmu_get_page"}, "id == 3");
  EXPECT_EQ(kernel.tracefs.text("instances/kvmscope_1_2/events/kvmscope_1_2/load/filter"),
            "id == 3");
}

TEST(Armed, LeavesNothingBehindWhenItGoes) {
  Kernel kernel;
  { const Armed armed(kernel.tracefs, name, probes, {"kvmmmu/kvm_mmu_get_page"}); }
  EXPECT_EQ(kernel.tracefs.state(), kernel.before);
}

TEST(Armed, LeavesNothingBehindWhenTheKernelRefusesTheSecondProbe) {
  Kernel kernel;
  kernel.tracefs.refuse("kvm:kvm_mmu_new_pgd", EINVAL, "Invalid probed address or symbol");
  EXPECT_ERROR(Armed(kernel.tracefs, name, probes, {}), ErrorKind::unavailable,
               "at 'kvm:kvm_mmu_new_pgd': the kernel has no such function");
  EXPECT_EQ(kernel.tracefs.state(), kernel.before);
}

TEST(Armed, LeavesNothingBehindWhenATracepointDoesNotExist) {
  Kernel kernel;
  EXPECT_ERROR(Armed(kernel.tracefs, name, probes, {"kvmmmu/gone"}), ErrorKind::unavailable,
               "events/kvmmmu/gone/format");
  EXPECT_EQ(kernel.tracefs.state(), kernel.before);
}

TEST(Armed, ReadsWhatEveryCpuRecorded) {
  Kernel kernel;
  {
    Armed armed(kernel.tracefs, name, probes, {});
    const std::uint16_t id = kernel.tracefs.id_of(name, "load");
    const std::uint16_t other = kernel.tracefs.id_of(name, "switch");
    kernel.tracefs.put_page(0, TracePage(5).event(5, event_data(id, 1, {42})).bytes());
    kernel.tracefs.put_page(1, TracePage(4).event(4, event_data(other, 1, {})).bytes());
    EventStream stream = armed.open_stream();
    stream.read(10);
    const std::vector<Hit> hits = stream.take_before(UINT64_MAX);
    ASSERT_EQ(hits.size(), 2U);
    EXPECT_EQ(hits[0].probe, 1U);
    EXPECT_EQ(hits[1].probe, 0U);
    EXPECT_EQ(hits[1].values, std::vector<std::uint64_t>{42});
  }
}

TEST(Armed, CountsWhatTheKernelLost) {
  Kernel kernel;
  kernel.tracefs.set_stats(0, "entries: 5\noverrun: 7\ncommit overrun: 2\ndropped events: 1\n");
  kernel.tracefs.set_stats(1, "overrun: 100\n");
  kernel.tracefs.set_missed("switch", 4);
  const Armed armed(kernel.tracefs, name, probes, {});
  EXPECT_EQ(armed.losses().overwritten, 110U);
  EXPECT_EQ(armed.losses().missed, 3U + 4U) << "not those of somebody's event of the same name";
}

}  // namespace
}  // namespace kvmscope::probe
