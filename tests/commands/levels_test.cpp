// levels, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Levels, ShowsATable) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "levels");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.text,
            scenario.named("ROOT       ROOT SP             L  TABLES  LEAVES    BYTES\n"
                           "0.0        {current}  4       0       0        0\n"
                           "0.0.prev0  {root}  4       2       0        0\n"
                           "0.0.prev0  {root}  3       2       0        0\n"
                           "0.0.prev0  {root}  2       3       1  2097152\n"
                           "0.0.prev0  {root}  1       0       3    12288\n"));
}

TEST(Levels, HasTheSameKeysAsData) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "levels 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.column("level"), json::array({4, 3, 2, 1}));
  EXPECT_EQ(outcome.records[2], json::parse(scenario.named(R"({
      "vm": 0, "root_sp": "{root}", "name": "0.0.prev0", "level": 2, "tables": 3, "leaves": 1,
      "bytes": 2097152})")));
}

TEST(Levels, HasOneRowForAnEmptyRoot) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "levels 0.0");
  EXPECT_EQ(outcome.column("level"), json::array({4}));
  EXPECT_EQ(outcome.column("tables"), json::array({0}));
}

TEST(Levels, StartsAtAnyShadowPage) {
  FakeScenario scenario;
  const FakeOutcome outcome =
      run(scenario.kernel, fmt::format("levels {:#x}", scenario.two.address.value));
  EXPECT_EQ(outcome.column("level"), json::array({2, 1}));
  EXPECT_EQ(outcome.column("vm"), json::array({nullptr, nullptr}));
}

TEST(Levels, CountsARootThatTwoVcpusShareOnce) {
  FakeScenario scenario;
  scenario.vm.add_vcpu(1).run_on(scenario.current, 0x11e000);
  const FakeOutcome outcome = run(scenario.kernel, "levels");
  EXPECT_EQ(outcome.column("name"),
            json::array({"0.0", "0.0.prev0", "0.0.prev0", "0.0.prev0", "0.0.prev0"}));
}

TEST(Levels, ShowsAPaeTableAndItsEntries) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  const FakePage page = vm.add_page({.level = 2});
  vm.map(page, 3, {0x200});
  vm.add_vcpu(0).run_on_pae({page, {}, {}, {}}, 0x5000);
  const FakeOutcome outcome = run(kernel, "levels");
  EXPECT_EQ(outcome.column("name"), json::array({"0.0", "0.0", "0.0.pae0"}));
  EXPECT_EQ(outcome.column("root_sp"), json::array({nullptr, nullptr, hex(page.address)}));
  EXPECT_EQ(outcome.column("leaves"), json::array({0, 1, 1}));
}

TEST(Levels, CountsTheRestWhenATableIsMissing) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.synced.table);
  const FakeOutcome outcome = run(scenario.kernel, "levels 0.0.prev0");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.column("leaves"), json::array({0, 0, 1, 1}));
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("the entries of a table are not counted")));
}

TEST(Levels, EndsOnATableThatPointsToItself) {
  FakeScenario scenario;
  scenario.kernel.memory().poke(scenario.root.entry(9),
                                scenario.kernel.table_entry(scenario.root.hpa()));
  const FakeOutcome outcome = run(scenario.kernel, "levels 0.0.prev0");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_EQ(outcome.column("leaves"), json::array({0, 0, 1, 3}));
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("again on its own path")));
}

}  // namespace
}  // namespace kvmscope
