// Walks of a kernel that runs, through pages and trees that change: neither hide damage nor invent
// it.

#include "tests/commands/live_fixture.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;

// ---- pages

TEST_F(Live, OnlyThePageThatChangesIsTorn) {
  std::uint64_t count = 0;
  live.before_each_read_of(member(scenario.two, "unsync_children"),
                           [&] { set(scenario.two, "unsync_children", ++count); });
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 0);
  for (const json& record : outcome.records)
    EXPECT_EQ(record["truth"], record["sp"] == hex(scenario.two.address) ? "torn" : "stable");
}

TEST_F(Live, APageThatIsZappedAfterItWasFoundIsTorn) {
  // The first read of its header is the walk's, the second is the check.
  live.before_read_of(member(scenario.synced, "gfn"), 2, [&] { zap(scenario.synced); });
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 0);
  const json record = of_sp(outcome, scenario.synced);
  EXPECT_EQ(record["truth"], "torn");
  EXPECT_THAT(record["notes"][0].get<std::string>(), HasSubstr("role.word"));
  EXPECT_EQ(of_sp(outcome, scenario.root)["truth"], "stable");
}

TEST_F(Live, APageOfZerosIsTornHoweverLongItStaysSo) {
  set(scenario.synced, "role.word", 0);
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 4) << "its fields are not known";
  const json record = of_sp(outcome, scenario.synced);
  EXPECT_EQ(record["truth"], "torn");
  EXPECT_THAT(record["level"]["lost"].get<std::string>(), HasSubstr("it has no role"));
  EXPECT_EQ(of_sp(outcome, scenario.root)["truth"], "stable");
}

TEST_F(Live, APageThatWasFreedAndIsAnotherOneNowIsTorn) {
  live.before_read_of(member(scenario.synced, "gfn"), 2,
                      [&] { set(scenario.synced, "gfn", 0x777); });
  const json record = of_sp(live.run("pages"), scenario.synced);
  EXPECT_EQ(record["truth"], "torn") << "read twice the same, and yet not the page of the list";
  EXPECT_THAT(record["notes"][0].get<std::string>(), HasSubstr("gfn of struct kvm_mmu_page"));
}

TEST_F(Live, AListThatBreaksUnderTheWalkIsWalkedAgain) {
  live.before_read_of(member(scenario.two, "link"), 1, [&] { zap(scenario.two); });
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.notes, IsEmpty());
  EXPECT_TRUE(of_sp(outcome, scenario.two).is_null());
  EXPECT_THAT(outcome.column("truth"), Each("stable"));
}

TEST_F(Live, PagesThatComeAndGoAllTheTimeAreSaidToBeMissing) {
  std::uint64_t used = 100;
  const VirtAddr counter = memory().member(scenario.vm.address(), "kvm", "arch.n_used_mmu_pages");
  live.before_each_read_of(counter, [&] { memory().poke(counter, ++used); });
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.notes,
              Contains(AllOf(HasSubstr("pages of VM 0 may be missing"),
                             HasSubstr("active_mmu_pages changed while it was walked"))));
  EXPECT_EQ(json::parse(live.run_text("pages -f report").text)["truth"], "torn");
  EXPECT_EQ(live.run("pages --summary").records[0]["truth"], "torn");
}

TEST_F(Live, PoisonThatStaysIsCorruptData) {
  memory().poke(member(scenario.two, "link"), 0xdead000000000100);
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("list poison")));
}

TEST_F(Live, APoisonedListThatIsRepairedMeanwhileIsNot) {
  const VirtAddr next{memory().peek(member(scenario.two, "link"))};
  memory().poke(member(scenario.two, "link"), 0xdead000000000100);
  live.before_read_of(member(scenario.two, "link"), 2,
                      [&] { memory().poke(member(scenario.two, "link"), next.value); });
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.column("truth"), Each("stable"));
}

TEST_F(Live, APageCostsAtMostThreeReads) {
  std::vector<FakePage> more;
  for (unsigned i = 0; i < 300; ++i) scenario.vm.add_page({.level = 1, .gfn = 0x1000 + i});
  live.run("vms");  // start-up
  const std::uint64_t before = live.reads();
  const FakeOutcome outcome = live.run("pages");
  EXPECT_LE(live.reads() - before, 3 * outcome.records.size());
}

// ---- trees

TEST_F(Live, OneEntryThatChangesIsTornAndItsNeighboursAreNot) {
  std::uint64_t entry = memory().peek(scenario.synced.entry(1));
  live.before_each_read_of(scenario.synced.entry(1), [&] {
    memory().poke(scenario.synced.entry(1), entry ^= 0x40);  // the processor's dirty bit
  });
  const FakeOutcome outcome = live.run("tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  unsigned torn = 0;
  for (const json& record : outcome.records) {
    const bool is_it = record["spte_address"] == hex(scenario.synced.entry(1));
    EXPECT_EQ(record["truth"], is_it ? "torn" : "stable");
    torn += is_it;
  }
  EXPECT_EQ(torn, 1u);
}

TEST_F(Live, ATableThatIsCutOffWhileItIsReadIsNotShown) {
  // Read once for `two` itself, once to check that; then comes the table below.
  bool cut = false;
  live.before_each_read_of(scenario.synced.table, [&] {
    if (!std::exchange(cut, true)) memory().poke(scenario.two.entry(0), 0);
  });
  const FakeOutcome outcome = live.run("tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  for (const json& record : outcome.records) {
    EXPECT_NE(record["parent_sp"], hex(scenario.synced.address)) << "it is not in the tree";
    if (record["spte_address"] != hex(scenario.two.entry(0))) continue;
    EXPECT_EQ(record["truth"], "torn");
    EXPECT_THAT(record["notes"][0].get<std::string>(), HasSubstr("what is below changed"));
  }
  EXPECT_EQ(json::parse(live.run_text("tree 0.0.prev0 -f report").text)["truth"], "stable")
      << "it stands still now";
}

TEST_F(Live, ARootThatIsZappedUnderTheWalkEndsIt) {
  bool zapped = false;
  live.before_each_read_of(scenario.three.table, [&] {
    if (!std::exchange(zapped, true))
      set(scenario.root, "role.word", role(scenario.root) | 1U << 11);
  });
  const FakeOutcome outcome = live.run("tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.column("truth"), Contains("torn"));
}

TEST_F(Live, LevelsAreThoseOfOneMoment) {
  unsigned changes = 0;
  live.before_each_read_of(scenario.last.table, [&] {
    if (++changes == 2) scenario.vm.map(scenario.last, 5, {0xbb00});
  });
  const FakeOutcome once = live.run("levels 0.0.prev0");
  EXPECT_THAT(once.column("truth"), Each("stable"));
  EXPECT_EQ(once.records.back()["leaves"], 4) << "counted again after the change";

  unsigned index = 10;
  live.before_each_read_of(scenario.last.table,
                           [&] { scenario.vm.map(scenario.last, index++, {0xbb00}); });
  const FakeOutcome outcome = live.run("levels 0.0.prev0");
  EXPECT_EQ(outcome.column("truth"), (json{"stable", "stable", "stable", "torn"}))
      << "only the level below changed";
  EXPECT_EQ(outcome.status, 0);
}

TEST_F(Live, APathIsThatOfOneMoment) {
  live.before_read_of(scenario.unsync.entry(0), 2,
                      [&] { scenario.vm.map(scenario.unsync, 0, {0xcc00}, {.gfn = 0x31}); });
  const FakeOutcome outcome = live.run("path 0.0.prev0 0x8000200000");
  EXPECT_THAT(outcome.column("truth"), Each("stable"));
  EXPECT_EQ(outcome.records.back()["pfn"], "0xcc00");
}

TEST_F(Live, AReplayOfPagesThatKeepChangingIsTorn) {
  std::uint64_t count = 1;
  live.before_each_read_of(member(scenario.two2, "unsync_children"),
                           [&] { set(scenario.two2, "unsync_children", ++count); });
  const FakeOutcome outcome = live.run("unsync 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  ASSERT_FALSE(outcome.records.empty());
  EXPECT_EQ(outcome.records[0]["truth"], "torn");
}

}  // namespace
}  // namespace kvmscope
