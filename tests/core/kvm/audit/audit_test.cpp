// Audits of kernels built in memory. Each rule's own fault is planted in the lab's dumps.

#include "core/kvm/audit/audit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope::kvm::audit {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

// What a fake kernel has everything for.
constexpr const char* fake_rules[] = {
    "lists",           "hash",          "active-valid", "used-pages", "page-private", "unsync-page",
    "unsync-children", "unsync-bitmap", "unsync-stale", "pte-list",   "child-table",  "parent-ptes",
    "header",          "level",         "writable",     "role",       "root-page",    "root-count",
    "prev-roots"};

struct Audited {
  Result result;
  std::vector<std::string> lost;

  std::vector<std::string> rules() const {
    std::vector<std::string> names;
    for (const Finding& finding : result.findings.all()) names.emplace_back(finding.rule->name);
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }
};

Audited audit(FakeKernel& kernel) {
  std::vector<const Rule*> wanted;
  for (const char* name : fake_rules) wanted.push_back(find_rule(name));
  Audited audited;
  audited.result = run(kernel.kvm(), kernel.vm(), wanted,
                       [&](const Error& error) { audited.lost.emplace_back(error.what()); });
  return audited;
}

class AuditOfEra : public testing::TestWithParam<Era> {};

TEST_P(AuditOfEra, FindsNothingInASoundVm) {
  FakeScenario scenario({.era = GetParam()});
  const Audited audited = audit(scenario.kernel);
  EXPECT_THAT(audited.rules(), IsEmpty()) << audited.result.findings.all().front().text;
  EXPECT_THAT(audited.lost, IsEmpty());
  EXPECT_EQ(audited.result.pages, 9U);
}

TEST_P(AuditOfEra, FindsABitThatWasLost) {
  FakeScenario scenario({.era = GetParam()});
  FakeMemory& memory = scenario.kernel.memory();
  memory.set(scenario.two.address, "kvm_mmu_page", "unsync_children", 0);
  memory.poke(memory.member(scenario.two.address, "kvm_mmu_page", "unsync_child_bitmap"), 0);
  // The bits above it lead to nothing unsync any more.
  EXPECT_THAT(audit(scenario.kernel).rules(), ElementsAre("unsync-bitmap", "unsync-stale"));
}

TEST_P(AuditOfEra, FindsAParentThatIsNotListed) {
  FakeScenario scenario({.era = GetParam()});
  FakeMemory& memory = scenario.kernel.memory();
  memory.poke(memory.member(scenario.synced.address, "kvm_mmu_page", "parent_ptes"), 0);
  EXPECT_THAT(audit(scenario.kernel).rules(), ElementsAre("parent-ptes"));
}

INSTANTIATE_TEST_SUITE_P(Eras, AuditOfEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST(Audit, GoesOnBehindAListThatIsARing) {
  FakeScenario scenario;
  FakeMemory& memory = scenario.kernel.memory();
  const VirtAddr link = memory.member(scenario.two.address, "kvm_mmu_page", "link");
  memory.poke(link, link.value);
  memory.poke(link + 8, link.value);
  // Another fault, on a page that only the hash leads to now or not.
  memory.set(scenario.three2.address, "kvm_mmu_page", "unsync_children", 7);
  const Audited audited = audit(scenario.kernel);
  EXPECT_THAT(audited.rules(), Contains("lists"));
  EXPECT_THAT(audited.rules(), Contains("unsync-children"));
  EXPECT_EQ(audited.result.pages, 9U) << "the hash has them all";
}

TEST(Audit, EndsWhereABucketOfTheHashIsARing) {
  FakeScenario scenario;
  FakeMemory& memory = scenario.kernel.memory();
  const VirtAddr link = memory.member(scenario.two.address, "kvm_mmu_page", "hash_link");
  memory.poke(link, link.value);
  EXPECT_THAT(audit(scenario.kernel).rules(), Contains("lists"));
}

TEST(Audit, EndsWhereParentsAreARing) {
  FakeScenario scenario;
  FakeMemory& memory = scenario.kernel.memory();
  const VirtAddr descriptor = memory.allocate("pte_list_desc");
  memory.set(descriptor, "pte_list_desc", "spte_count", 1);
  memory.poke(memory.member(descriptor, "pte_list_desc", "sptes"), scenario.two.entry(0).value);
  memory.set(descriptor, "pte_list_desc", "more", descriptor.value);
  memory.poke(memory.member(scenario.synced.address, "kvm_mmu_page", "parent_ptes"),
              descriptor.value + 1);
  const Audited audited = audit(scenario.kernel);
  EXPECT_THAT(audited.rules(), ElementsAre("pte-list"));
  EXPECT_THAT(audited.result.findings.all().front().text,
              testing::HasSubstr("its chain comes back to"));
}

TEST(Audit, TakesATableThatLeadsToItselfForWhatItIs) {
  FakeScenario scenario;
  scenario.kernel.memory().poke(scenario.three.entry(3),
                                scenario.kernel.table_entry(scenario.three.hpa()));
  EXPECT_THAT(audit(scenario.kernel).rules(), ElementsAre("level", "parent-ptes", "unsync-bitmap"));
}

TEST(Audit, ChecksTheRestWhereMemoryIsMissing) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.two.address + 16, 64);  // its list node is there
  scenario.kernel.memory().set(scenario.three2.address, "kvm_mmu_page", "unsync_children", 7);
  const Audited audited = audit(scenario.kernel);
  EXPECT_FALSE(audited.lost.empty());
  EXPECT_THAT(audited.rules(), ElementsAre("unsync-children"))
      << "that its children have no parent proves nothing";
  const auto skipped = [&](const char* name) {
    return std::ranges::any_of(audited.result.skipped, [&](const Skipped& one) {
      return one.rule->name == name && one.lost;
    });
  };
  EXPECT_TRUE(skipped("parent-ptes"));
  EXPECT_TRUE(skipped("used-pages"));
}

TEST(Audit, TellsThatKvmIsAtWork) {
  FakeScenario still;
  EXPECT_EQ(audit(still.kernel).result.in_motion, "");
  FakeScenario busy;
  busy.vm.set("mmu_invalidate_in_progress", 1);
  EXPECT_EQ(audit(busy.kernel).result.in_motion, "an MMU notifier is at work");
}

}  // namespace
}  // namespace kvmscope::kvm::audit
