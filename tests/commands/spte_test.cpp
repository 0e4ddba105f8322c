// spte, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(Spte, SaysWhatAnEntryMeans) {
  FakeScenario scenario;
  const FakeOutcome outcome =
      run_text(scenario.kernel, fmt::format("spte {:#x}", scenario.synced.entry(2).value));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.text,
              HasSubstr(scenario.named(" level 1: leaf, entry 2 of shadow page {synced}\n"
                                       "  r-xu A- H-  pfn 0xaa17  gfn 0x30\n")));
  EXPECT_TRUE(outcome.text.ends_with("\n  A/D enabled\n")) << outcome.text;
}

TEST(Spte, HasTheSameAsData) {
  FakeScenario scenario;
  const std::uint64_t entry = scenario.kernel.memory().peek(scenario.synced.entry(1));
  const FakeOutcome outcome = run(scenario.kernel, fmt::format("spte {:#x}", entry));
  EXPECT_EQ(outcome.status, 0);
  json expected = json::parse(R"({"spte_address": null, "sp": null, "index": null, "level": 1,
      "kind": "leaf", "format": "x86", "present": true, "readable": true, "writable": true,
      "executable": true, "user": true, "accessed": true, "dirty": false, "ad_type": "enabled",
      "host_writable": true, "mmu_writable": true, "access_tracked": false, "huge": false,
      "memtype": null, "pfn": "0xaa1a", "gfn": null, "mmio_generation": null,
      "slots_generation": null, "mmio_stale": null, "mmio_access": null,
      "flags": ["r", "w", "x", "u", "accessed", "host_writable", "mmu_writable"]})");
  expected["spte"] = hex(entry);
  EXPECT_EQ(outcome.records[0], expected);
}

TEST(Spte, TakesLevelAndPageFromItsAddress) {
  FakeScenario scenario;
  const json record =
      run(scenario.kernel, fmt::format("spte {:#x}", scenario.two.entry(2).value)).records[0];
  EXPECT_EQ(record["sp"], hex(scenario.two.address));
  EXPECT_EQ(record["index"], 2);
  EXPECT_EQ(record["level"], 2);
  EXPECT_EQ(record["huge"], true);
  EXPECT_EQ(record["gfn"], "0x200");
}

TEST(Spte, KnowsWhetherAnMmioEntryIsStale) {
  FakeScenario scenario;
  FakeMemory& memory = scenario.kernel.memory();
  const std::uint64_t value = scenario.kernel.value("shadow_mmio_value");
  memory.set(scenario.vm.slot_set(0), "kvm_memslots", "generation", 0x104);
  // Generation bits 0 to 7 stand in bits 3 to 10, the others from bit 52 on.
  memory.poke(scenario.synced.entry(9), value | 0xfee00000 | 0x04 << 3 | 1ULL << 52);
  memory.poke(scenario.synced.entry(10), value | 0xfee00000 | 0x06 << 3);
  const auto spte = [&](unsigned index) {
    return run(scenario.kernel, fmt::format("spte {:#x}", scenario.synced.entry(index).value))
        .records[0];
  };
  EXPECT_EQ(spte(9)["kind"], "mmio");
  EXPECT_EQ(spte(9)["gfn"], "0xfee00");
  EXPECT_EQ(spte(9)["mmio_generation"], 0x104);
  EXPECT_EQ(spte(9)["mmio_stale"], false);
  EXPECT_EQ(spte(10)["mmio_generation"], 6);
  EXPECT_EQ(spte(10)["slots_generation"], 0x104);
  EXPECT_EQ(spte(10)["mmio_stale"], true);
}

// As a TDX guest's are: no permission, where the host's default is write and execute.
TEST(Spte, KnowsTheMmioValueOfItsVm) {
  FakeScenario scenario({.era = Era::v6_12, .ept = true, .tdp_enabled = true});
  const std::string line = "spte 0xfee00000";
  EXPECT_EQ(run(scenario.kernel, line).records[0]["kind"], "unknown");
  EXPECT_EQ(run(scenario.kernel, "spte 0xfee00006").records[0]["kind"], "mmio");
  scenario.vm.set("arch.shadow_mmio_value", 0);
  EXPECT_EQ(run(scenario.kernel, line).records[0]["kind"], "mmio");
  EXPECT_EQ(run(scenario.kernel, "spte 0xfee00006").records[0]["kind"], "unknown");
  FakeVm& other = scenario.kernel.add_vm();  // has the default
  EXPECT_EQ(run(scenario.kernel, fmt::format("{} --vm {:#x}", line, other.address().value))
                .records[0]["kind"],
            "unknown");
  EXPECT_EQ(run(scenario.kernel, line + " --vm 0").records[0]["kind"], "mmio");
}

TEST(Spte, KnowsEptMemoryTypes) {
  FakeKernel kernel({.ept = true, .tdp_enabled = true});
  kernel.add_vm();
  const std::uint64_t entry = kernel.leaf_entry({0x55}, 1, {}) & ~0x78ULL;
  EXPECT_EQ(run(kernel, fmt::format("spte {:#x}", entry | 0x70)).records[0]["memtype"],
            "WB, ignore PAT");
  EXPECT_EQ(run(kernel, fmt::format("spte {:#x}", entry)).records[0]["memtype"], "UC");
}

TEST(Spte, RefusesALevelThatIsNone) {
  FakeScenario scenario;
  EXPECT_EQ(run(scenario.kernel, "spte 0x1 --level 6").status, 2);
}

}  // namespace
}  // namespace kvmscope
