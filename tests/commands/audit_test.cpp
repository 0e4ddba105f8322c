// audit, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

constexpr std::string_view unsync_rules =
    "audit 0 --rule unsync-children,unsync-bitmap --rule unsync-stale";

void lose_a_bit(FakeScenario& scenario) {
  FakeMemory& memory = scenario.kernel.memory();
  memory.set(scenario.two.address, "kvm_mmu_page", "unsync_children", 0);
  memory.poke(memory.member(scenario.two.address, "kvm_mmu_page", "unsync_child_bitmap"), 0);
}

TEST(AuditCommand, SaysThatNothingWasFound) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, unsync_rules);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.text, HasSubstr("VM 0: 3 rules, 9 shadow pages, 11 SPTEs: no findings\n"));
  EXPECT_EQ(run(scenario.kernel, unsync_rules).records, json::array());
}

TEST(AuditCommand, PutsWhatAFaultBreaksBelowIt) {
  FakeScenario scenario;
  lose_a_bit(scenario);
  const FakeOutcome outcome = run_text(scenario.kernel, unsync_rules);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(
      outcome.text.substr(0, outcome.text.find("VM 0:")),
      scenario.named(
          "VM  SEVERITY  RULE            FINDING\n"
          " 0  error     unsync-bitmap   sp {two} (level 2, gfn 0x117) leads with [1] to sp "
          "{unsync} "
          "(level 1, gfn 0x119), which is unsync, but that bit in unsync_child_bitmap is clear (at "
          "0.0.prev0 4[1] 3[0] 2[1])\n"
          " 0  info      └ unsync-stale  sp {three} (level 3, gfn 0x116) has 1 stale bit in "
          "unsync_child_bitmap: [0] (at 0.0.prev0 4[1])\n"));
  EXPECT_THAT(outcome.text, HasSubstr("2 findings in 1 group, 1 error\n"));
}

TEST(AuditCommand, HasTheSameInRecords) {
  FakeScenario scenario;
  lose_a_bit(scenario);
  const FakeOutcome outcome = run(scenario.kernel, unsync_rules);
  EXPECT_EQ(outcome.status, 1);
  ASSERT_EQ(outcome.records.size(), 2U);
  json first = outcome.records[0];
  first.erase("text");
  EXPECT_EQ(first, json::parse(scenario.named(R"({"vm": 0, "group": 1, "rule": "unsync-bitmap",
      "severity": "error", "unstable": false, "cause": null, "object": "sp", "address": "{two}",
      "sp": "{two}", "index": 1, "paths": ["0.0.prev0 4[1] 3[0] 2[1]"]})")));
  EXPECT_EQ(outcome.column("cause")[1], "unsync-bitmap");
  EXPECT_EQ(outcome.column("group"), json::parse("[1, 1]"));
}

TEST(AuditCommand, IsNotSureWhileAnMmuNotifierIsAtWork) {
  FakeScenario scenario;
  lose_a_bit(scenario);
  scenario.vm.set("mmu_invalidate_in_progress", 1);
  const FakeOutcome outcome = run(scenario.kernel, unsync_rules);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.column("unstable"), json::parse("[true, true]"));
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("unstable: an MMU notifier is at work")));
}

TEST(AuditCommand, SaysWhatIsNotChecked) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.two.address + 16, 64);  // its list node is there
  const FakeOutcome outcome = run(scenario.kernel, "audit 0 --rule used-pages,unsync-children");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("not all of VM 0 is checked")));
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("rule used-pages is not checked")));
}

TEST(AuditCommand, SaysWhyARuleThatWasAskedForDoesNotHold) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "audit 0 --rule tdp-parent");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("the VM does not use the TDP MMU")));
}

TEST(AuditCommand, RefusesARuleThatThereIsNot) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "audit --rule unsync-bitmp");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.notes,
              Contains(HasSubstr("no rule 'unsync-bitmp'; did you mean unsync-bitmap")));
}

TEST(AuditCommand, ExplainsItsRulesWithoutATarget) {
  FakeKernel kernel;
  const FakeOutcome outcome = run_offline(kernel, "audit --list -f json");
  EXPECT_EQ(outcome.status, 0);
  const json records = json::parse(outcome.text);
  ASSERT_GT(records.size(), 30U);
  EXPECT_EQ(records[0]["rule"], "lists");
  EXPECT_EQ(records[0]["holds"], nullptr);
}

TEST(AuditCommand, TellsWhichRulesAVmHas) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "audit 0 --list --rule tdp-parent,hash");
  EXPECT_EQ(outcome.column("rule"), json::parse(R"(["hash", "tdp-parent"])"));
  EXPECT_EQ(outcome.column("holds"), json::parse("[true, false]"));
  EXPECT_EQ(outcome.column("excuse")[1], "the VM does not use the TDP MMU");
}

}  // namespace
}  // namespace kvmscope
