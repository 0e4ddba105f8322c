// Statistics of sampled roots, from sequences made up by hand.

#include "core/kvm/root_history.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace kvmscope::kvm {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t no_root = ~0ULL;

RootSlot root(std::uint64_t number) {
  return {number << 12, number << 20};
}

// A vCPU whose root cache is KVM's: the current root and the three before it.
class Vcpu {
 public:
  RootHistory history{10ms};

  // Switches to each root in turn, with a sample after each switch.
  void run(std::initializer_list<std::uint64_t> roots) {
    for (const std::uint64_t number : roots) switch_to(root(number));
  }
  void switch_to(const RootSlot& next) {
    std::erase(cache_, next);
    cache_.push_front(next);
    if (cache_.size() > 4) cache_.pop_back();
    sample();
  }
  void sample() {
    RootSample sample{.mmu = MmuKind::root_mmu, .current = cache_.front(), .previous = {}};
    sample.previous.assign(cache_.begin() + 1, cache_.end());
    sample.previous.resize(3, {0, no_root});
    sample.cr3 = *sample.current.pgd;
    add(sample);
  }
  void add(const RootSample& sample) {
    history.add(at_, sample);
    at_ += 10ms;
  }
  void pass(std::chrono::nanoseconds time) { at_ += time; }

 private:
  std::deque<RootSlot> cache_;
  std::chrono::nanoseconds at_{};
};

TEST(RootHistory, FourRootsInACycleAreKnownOnceTheyWereSeen) {
  Vcpu vcpu;
  for (int round = 0; round < 10; ++round) vcpu.run({1, 2, 3, 4});
  const RootHistory::Counts& counts = vcpu.history.counts();
  EXPECT_EQ(counts.samples, 40u);
  EXPECT_EQ(counts.changes, 39u);
  EXPECT_EQ(counts.fresh, 3u);  // the first round's
  EXPECT_EQ(counts.known, 36u);
  EXPECT_EQ(vcpu.history.roots().size(), 4u);
  EXPECT_EQ(vcpu.history.cr3s(), 4u);
}

TEST(RootHistory, FiveRootsInACycleAreAlwaysNew) {
  Vcpu vcpu;
  for (int round = 0; round < 10; ++round) vcpu.run({1, 2, 3, 4, 5});
  EXPECT_EQ(vcpu.history.counts().changes, 49u);
  EXPECT_EQ(vcpu.history.counts().fresh, 49u);
  EXPECT_EQ(vcpu.history.counts().known, 0u);
}

TEST(RootHistory, TheSameGuestTableInAnotherTableIsAnotherRoot) {
  Vcpu vcpu;
  vcpu.switch_to({0x1000, 0x100000});
  vcpu.switch_to({0x1000, 0x200000});
  EXPECT_EQ(vcpu.history.counts().changes, 1u);
  EXPECT_EQ(vcpu.history.counts().fresh, 1u);
  EXPECT_EQ(vcpu.history.cr3s(), 1u);
}

TEST(RootHistory, AFreedSlotIsNoRootThatWasKnown) {
  Vcpu vcpu;
  vcpu.add({.current = root(1), .previous = {{root(2).pgd, no_root}}, .cr3 = 0});
  vcpu.add({.current = root(2), .previous = {root(1)}, .cr3 = 0});
  EXPECT_EQ(vcpu.history.counts().fresh, 1u);
}

TEST(RootHistory, TheFirstSampleIsNoChange) {
  Vcpu vcpu;
  vcpu.run({1, 1, 1});
  EXPECT_EQ(vcpu.history.counts().changes, 0u);
  EXPECT_FALSE(vcpu.history.stays());
}

TEST(RootHistory, ASampleWithoutARootIsCountedAndEndsNoStay) {
  Vcpu vcpu;
  vcpu.run({1, 2});
  vcpu.add({.current = {0, no_root}, .previous = {root(2), root(1)}, .cr3 = 0});
  vcpu.run({3});
  const RootHistory::Counts& counts = vcpu.history.counts();
  EXPECT_EQ(counts.rootless, 1u);
  EXPECT_EQ(counts.changes, 2u);
  EXPECT_EQ(counts.fresh, 2u);
  EXPECT_FALSE(vcpu.history.stays());
  EXPECT_EQ(vcpu.history.timeline(100), (std::vector<int>{0, 1, RootHistory::nothing, 2}));
}

TEST(RootHistory, ASampleInTheMiddleOfASwitchIsTornAndComparedWithNothing) {
  Vcpu vcpu;
  vcpu.run({1, 2});
  // KVM swaps 1 and 2: both slots have 1 for a moment.
  const RootSample half{.current = root(1), .previous = {root(1)}, .cr3 = 0};
  EXPECT_TRUE(half.torn());
  vcpu.add(half);
  vcpu.run({1});
  const RootHistory::Counts& counts = vcpu.history.counts();
  EXPECT_EQ(counts.samples, 4u);
  EXPECT_EQ(counts.torn, 1u);
  EXPECT_EQ(counts.changes, 2u);
  EXPECT_EQ(counts.known, 1u);
  EXPECT_EQ(vcpu.history.roots()[0].samples, 2u);
  EXPECT_EQ(vcpu.history.timeline(100), (std::vector<int>{0, 1, RootHistory::nothing, 0}));
}

TEST(RootHistory, NoRootInTwoSlotsIsNotTorn) {
  const RootSample sample{.current = {0, no_root}, .previous = {{0, no_root}}, .cr3 = 0};
  EXPECT_FALSE(sample.torn());
}

TEST(RootHistory, ANestedGuestHasAHistoryOfItsOwn) {
  Vcpu vcpu;
  vcpu.add({.mmu = MmuKind::root_mmu, .current = root(1), .previous = {}, .cr3 = 0});
  vcpu.add({.mmu = MmuKind::guest_mmu, .current = root(7), .previous = {}, .cr3 = 0});
  vcpu.add({.mmu = MmuKind::root_mmu, .current = root(1), .previous = {}, .cr3 = 0});
  EXPECT_EQ(vcpu.history.counts().changes, 0u);
  vcpu.add({.mmu = MmuKind::root_mmu, .current = root(2), .previous = {}, .cr3 = 0});
  EXPECT_EQ(vcpu.history.counts().changes, 1u);
}

TEST(RootHistory, TellsHowLongRootsStayedBetweenTwoChanges) {
  Vcpu vcpu;
  // The first stay began before the first sample, the last goes on.
  vcpu.run({1, 1, 2, 3, 3, 3, 2, 2, 1});
  const auto stays = vcpu.history.stays();
  ASSERT_TRUE(stays);
  EXPECT_EQ(stays->count, 3u);
  EXPECT_EQ(stays->shortest, 10ms);
  EXPECT_EQ(stays->median, 20ms);
  EXPECT_EQ(stays->longest, 30ms);
}

TEST(RootHistory, SamplesThatWereLostOrLateLeaveTheTimesRight) {
  Vcpu vcpu;
  vcpu.run({1, 2});
  vcpu.history.add_lost();
  vcpu.pass(40ms);
  vcpu.run({3});
  EXPECT_EQ(vcpu.history.counts().lost, 1u);
  EXPECT_EQ(vcpu.history.stays().value().longest, 50ms);
  EXPECT_EQ(vcpu.history.timeline(100), (std::vector<int>{0, 1, -1, -1, -1, -1, 2}));
}

TEST(RootHistory, DrawsATimelineOfAnyLengthInAnyWidth) {
  Vcpu vcpu;
  for (int i = 0; i < 5000; ++i) vcpu.run({1});
  for (int i = 0; i < 5000; ++i) vcpu.run({2});
  for (const std::size_t width : {1U, 7U, 10U, 80U, 600U}) {
    const std::vector<int> line = vcpu.history.timeline(width);
    EXPECT_LE(line.size(), width);
    EXPECT_GT(2 * line.size(), std::min<std::size_t>(width, 256));
    if (width == 1) continue;
    EXPECT_EQ(line.front(), 0);
    EXPECT_EQ(line.back(), 1);
  }
  EXPECT_EQ(vcpu.history.timeline(1), std::vector<int>{RootHistory::several});
  EXPECT_TRUE(RootHistory(1ms).timeline(80).empty());
}

TEST(RootHistory, KeepsCountingWhenThereAreMoreRootsThanItTellsApart) {
  Vcpu vcpu;
  for (std::uint64_t number = 1; number <= RootHistory::most_roots + 10; ++number)
    vcpu.run({number});
  EXPECT_EQ(vcpu.history.roots().size(), RootHistory::most_roots);
  EXPECT_EQ(vcpu.history.counts().changes, RootHistory::most_roots + 9);
}

}  // namespace
}  // namespace kvmscope::kvm
