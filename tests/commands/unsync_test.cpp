// unsync, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Unsync, ShowsABatchAndItsSteps) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "unsync 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.text, scenario.named("Pages after mmu_unsync_walk of root {root} (0.0.prev0, "
                                         "gfn 0x10f), batch 0: 7 of 16\n"
                                         "SP index:   0  1  2  3  4  5  6\n"
                                         "SP level:   4  3  2  1  3  2  1\n"
                                         "SP entry:  -1  1  0  1  2  0  0\n"
                                         "Step 1: sp [3] {unsync} gfn 0x119   parents: 2 "
                                         "0x117[1]  3 0x116[0]  4 0x10f[1]\n"
                                         "Step 2: sp [6] {last} gfn 0x11d   parents: 2 "
                                         "0x11c[0]  3 0x11b[0]  4 0x10f[2]\n"));
}

TEST(Unsync, HasTheSameAsData) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "unsync");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, json::parse(scenario.named(R"([{
      "vm": 0, "root_sp": "{root}", "name": "0.0.prev0", "batch": 0,
      "pages": [{"sp": "{root}", "level": 4, "gfn": "0x10f", "idx": -1},
                {"sp": "{three}", "level": 3, "gfn": "0x116", "idx": 1},
                {"sp": "{two}", "level": 2, "gfn": "0x117", "idx": 0},
                {"sp": "{unsync}", "level": 1, "gfn": "0x119", "idx": 1},
                {"sp": "{three2}", "level": 3, "gfn": "0x11b", "idx": 2},
                {"sp": "{two2}", "level": 2, "gfn": "0x11c", "idx": 0},
                {"sp": "{last}", "level": 1, "gfn": "0x11d", "idx": 0}],
      "steps": [{"at": 3, "sp": "{unsync}",
                 "parents": [{"sp": "{two}", "level": 2, "gfn": "0x117", "idx": 1},
                             {"sp": "{three}", "level": 3, "gfn": "0x116", "idx": 0},
                             {"sp": "{root}", "level": 4, "gfn": "0x10f", "idx": 1}]},
                {"at": 6, "sp": "{last}",
                 "parents": [{"sp": "{two2}", "level": 2, "gfn": "0x11c", "idx": 0},
                             {"sp": "{three2}", "level": 3, "gfn": "0x11b", "idx": 0},
                             {"sp": "{root}", "level": 4, "gfn": "0x10f", "idx": 2}]}]}])")));
}

TEST(Unsync, GoesOnUntilNothingIsLeft) {
  FakeScenario scenario;
  for (unsigned i = 0; i < 20; ++i)
    scenario.vm.grow(scenario.two, 100 + i, {.level = 1, .unsync = true});
  const FakeOutcome outcome = run(scenario.kernel, "unsync 0.0.prev0");
  EXPECT_EQ(outcome.column("batch"), json::array({0, 1}));
  EXPECT_EQ(outcome.records[0]["pages"].size(), 16u);
}

TEST(Unsync, SaysThatARootHasNone) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "unsync 0.0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, json::array());
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("root 0.0 has no unsync children")));
}

TEST(Unsync, SendsAPaeTableToItsEntries) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  const FakePage page = vm.add_page({.level = 2});
  vm.grow(page, 3, {.level = 1, .unsync = true});
  vm.add_vcpu(0).run_on_pae({page, {}, {}, {}}, 0x5000);
  const FakeOutcome table = run_text(kernel, "unsync 0.0");
  EXPECT_EQ(table.status, 2);
  EXPECT_THAT(table.notes, Contains(HasSubstr("0.0.pae0")));
  EXPECT_EQ(run(kernel, "unsync 0.0.pae0").records.size(), 1u);
  EXPECT_EQ(run(kernel, "unsync").column("name"), json::array({"0.0.pae0"}));
}

TEST(Unsync, NotesAChildThatIsMissing) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.unsync.address, 64);
  const FakeOutcome outcome = run(scenario.kernel, "unsync 0.0.prev0");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.records[0]["steps"].size(), 1u);
  EXPECT_THAT(outcome.records[0]["notes"][0].get<std::string>(), HasSubstr("is unknown"));
}

TEST(Unsync, EndsAtCorruptLevels) {
  FakeScenario scenario;
  scenario.kernel.memory().set(scenario.three.address, "kvm_mmu_page", "role.level", 2);
  const FakeOutcome outcome = run(scenario.kernel, "unsync 0.0.prev0");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("the replay of root 0.0.prev0 ends here")));
}

TEST(Unsync, EndsAtAMissingTable) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.three.table);
  EXPECT_EQ(run(scenario.kernel, "unsync 0.0.prev0").status, 4);
}

}  // namespace
}  // namespace kvmscope
