// stats, against kernels built in memory.

#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;

TEST(Stats, ShowEveryMember) {
  FakeScenario scenario;
  scenario.vm.set("stat.mmu_unsync", 5);
  scenario.vcpu.set("stat.generic.wait_hist[2]", 3);
  const FakeOutcome outcome = run(scenario.kernel, "stats");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.column("name"),
            json::array({"mmu_shadow_zapped", "mmu_flooded", "mmu_cache_miss", "mmu_unsync",
                         "halt_exits", "wait_hist", "exits"}));
  EXPECT_EQ(outcome.records[3]["value"], 5);
  EXPECT_EQ(outcome.records[3]["vcpu"], nullptr);
  EXPECT_EQ(outcome.records[5]["value"], nullptr);
  EXPECT_EQ(outcome.records[5]["vcpu"], 0);
  EXPECT_EQ(outcome.records[5]["elements"][2], json::parse(R"({"index": 2, "count": 3})"));
  EXPECT_EQ(run_text(scenario.kernel, "stats --nonzero").text,
            "VM  VCPU  NAME        VALUE\n"
            " 0     -  mmu_unsync  5\n"
            " 0     0  wait_hist   [2]=3\n");
  EXPECT_EQ(run(scenario.kernel, "stats --name exits").column("name"),
            json::array({"halt_exits", "exits"}));
}

TEST(Stats, OfAVcpuThatIsMissingAreLostAlone) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(
      scenario.kernel.memory().member(scenario.vcpu.address(), "kvm_vcpu", "stat"), 8);
  const FakeOutcome outcome = run(scenario.kernel, "stats");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_TRUE(outcome.records[4]["value"].contains("lost"));
  EXPECT_EQ(outcome.records.size(), 7u);
}

}  // namespace
}  // namespace kvmscope
