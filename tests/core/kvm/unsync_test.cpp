// The replay of mmu_unsync_walk() and for_each_sp(): batches, steps, and bits that are stale.

#include "core/kvm/unsync.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/kvm/unsync_fixture.hpp"

namespace kvmscope::kvm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// The levels 4 3 2 1 1 1 3 2 1: a real batch of a 6.1 kernel.
TEST_F(Unsync, BatchComesInTheKernelsOrder) {
  const FakePage first = branch(1);
  const FakePage one = leaf(first, 0, 0x118);
  leaf(first, 1, 0x119);
  leaf(first, 2, 0x11a);
  leaf(branch(2), 0, 0x11d);

  const std::vector<UnsyncBatch> batches = replay();

  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(pages(batches[0]),
              ElementsAre("4[-1]", "3[1]", "2[0]", "1[0]", "1[1]", "1[2]", "3[2]", "2[0]", "1[0]"));
  EXPECT_THAT(steps(batches[0]), ElementsAre("3: 2[0] 3[0] 4[1]", "4: 2[1] 3[0] 4[1]",
                                             "5: 2[2] 3[0] 4[1]", "8: 2[0] 3[0] 4[2]"));
  EXPECT_EQ(batches[0].pages[0].sp, root_.address);
  EXPECT_EQ(batches[0].pages[3].sp, one.address);
  EXPECT_EQ(batches[0].pages[3].gfn, Gfn{0x118});
  EXPECT_EQ(batches[0].steps[0].sp, one.address);
  EXPECT_EQ(batches[0].steps[0].parents[0].sp, first.address);
  EXPECT_EQ(batches[0].steps[0].parents[2].gfn, Gfn{0x10f});
  EXPECT_THAT(batches[0].notes, IsEmpty());
}

TEST_F(Unsync, RootWithoutUnsyncChildrenHasNoBatch) {
  vm_.grow(branch(0), 0, {.level = 1});
  EXPECT_THAT(replay(), IsEmpty());
}

TEST_F(Unsync, WorksOnATreeOfFiveLevels) {
  const FakePage five = vm_.add_page({.level = 5});
  vm_.link(five, 8, root_);
  leaf(branch(1), 3);
  const std::vector<UnsyncBatch> batches = replay(five);
  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(steps(batches[0]), ElementsAre("4: 2[3] 3[0] 4[1] 5[8]"));
}

TEST_F(Unsync, WorksOnTheLevel2RootOfAPaeTable) {
  const FakePage two = vm_.add_page({.level = 2});
  leaf(two, 7);
  const std::vector<UnsyncBatch> batches = replay(two);
  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(pages(batches[0]), ElementsAre("2[-1]", "1[7]"));
  EXPECT_THAT(steps(batches[0]), ElementsAre("1: 2[7]"));
}

// 16 pages: the root, two intermediates and 13 leaves; the other 7 come in the next.
TEST_F(Unsync, FullBatchEndsWithTheLeafThatFilledIt) {
  const FakePage two = branch(0);
  for (unsigned i = 0; i < 20; ++i) leaf(two, i);

  const std::vector<UnsyncBatch> batches = replay();

  ASSERT_THAT(batches, SizeIs(2));
  EXPECT_THAT(batches[0].pages, SizeIs(16));
  EXPECT_THAT(batches[0].steps, SizeIs(13));
  EXPECT_EQ(batches[0].pages.back().idx, 12);
  EXPECT_THAT(batches[1].pages, SizeIs(10));
  EXPECT_EQ(batches[1].steps.front().parents.front().idx, 13);
}

// The 16th page is an intermediate: its leaves wait for the next walk.
TEST_F(Unsync, FullBatchMayEndWithAnIntermediate) {
  const FakePage first = branch(0);
  for (unsigned i = 0; i < 12; ++i) leaf(first, i);
  leaf(branch(1), 5);

  const std::vector<UnsyncBatch> batches = replay();

  ASSERT_THAT(batches, SizeIs(2));
  EXPECT_THAT(batches[0].pages, SizeIs(16));
  EXPECT_EQ(batches[0].pages.back().level, 3u);
  EXPECT_THAT(batches[0].steps, SizeIs(12));
  EXPECT_THAT(steps(batches[1]), ElementsAre("3: 2[5] 3[0] 4[1]"));
}

TEST_F(Unsync, SharedLeafComesOnceUnderItsFirstParent) {
  const FakePage first = branch(0);
  const FakePage second = branch(1);
  const FakePage shared = leaf(first, 4);
  vm_.link(second, 9, shared);

  const std::vector<UnsyncBatch> batches = replay();

  ASSERT_FALSE(batches.empty());
  EXPECT_THAT(pages(batches[0]), ElementsAre("4[-1]", "3[0]", "2[0]", "1[4]", "3[1]", "2[0]"));
  EXPECT_THAT(steps(batches[0]), ElementsAre("3: 2[4] 3[0] 4[0]"));
}

// The other parent's bit stays, and the next walk finds it stale: a batch without a step.
TEST_F(Unsync, SecondParentKeepsAStaleBit) {
  const FakePage first = branch(0);
  const FakePage second = branch(1);
  vm_.link(second, 9, leaf(first, 4));

  const std::vector<UnsyncBatch> batches = replay();

  ASSERT_THAT(batches, SizeIs(2));
  EXPECT_THAT(pages(batches[1]), ElementsAre("4[-1]", "3[1]", "2[0]"));
  EXPECT_THAT(batches[1].steps, IsEmpty());
}

TEST_F(Unsync, StaleBitsLeadNowhere) {
  const FakePage two = branch(0);
  leaf(two, 0);
  vm_.mark(two, 1);                // not present
  vm_.map(two, 2, {0x200});        // a huge page
  vm_.mark(two, 2);                //
  vm_.grow(two, 3, {.level = 1});  // a page that is in sync
  vm_.mark(two, 3);                //
  vm_.mark(two, 511);              // the last bit

  const std::vector<UnsyncBatch> batches = replay();

  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(pages(batches[0]), ElementsAre("4[-1]", "3[0]", "2[0]", "1[0]"));
  EXPECT_THAT(batches[0].notes, IsEmpty());
}

// Nothing is left below it, but it has been added by then.
TEST_F(Unsync, DeadIntermediateStaysInTheBatch) {
  const FakePage dead = branch(0);
  vm_.mark(dead, 5);
  leaf(branch(1), 6);

  const std::vector<UnsyncBatch> batches = replay();

  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(pages(batches[0]), ElementsAre("4[-1]", "3[0]", "2[0]", "3[1]", "2[0]", "1[6]"));
  EXPECT_THAT(steps(batches[0]), ElementsAre("5: 2[6] 3[0] 4[1]"));
}

TEST_F(Unsync, TreeOfStaleBitsGivesOneBatchWithoutAStep) {
  vm_.mark(branch(0), 5);
  const std::vector<UnsyncBatch> batches = replay();
  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(pages(batches[0]), ElementsAre("4[-1]", "3[0]", "2[0]"));
  EXPECT_THAT(batches[0].steps, IsEmpty());
}

// 15 dead intermediates fill a batch that has no leaf; they were cleared, so it goes on.
TEST_F(Unsync, BatchFullOfDeadIntermediatesIsFollowedByOthers) {
  for (unsigned i = 0; i < 10; ++i) vm_.mark(branch(i), 5);
  leaf(branch(20), 6);

  const std::vector<UnsyncBatch> batches = replay();

  ASSERT_THAT(batches, SizeIs(2));
  EXPECT_THAT(batches[0].pages, SizeIs(16));
  EXPECT_THAT(batches[0].steps, IsEmpty());
  EXPECT_THAT(batches[1].steps, SizeIs(1));
}

// The bits of a page climb only while a count becomes 0.
TEST_F(Unsync, ParentsStayMarkedWhileSomethingIsLeft) {
  const FakePage two = branch(0);
  for (unsigned i = 0; i < 30; ++i) leaf(two, i);
  const std::vector<UnsyncBatch> batches = replay();
  ASSERT_THAT(batches, SizeIs(3));
  EXPECT_THAT(pages(batches[2]),
              ElementsAre("4[-1]", "3[0]", "2[0]", "1[26]", "1[27]", "1[28]", "1[29]"));
}

TEST_F(Unsync, ReplayLeavesTheKernelAlone) {
  leaf(branch(0), 0);
  const ShadowPage before = kernel_.page(root_);
  replay();
  EXPECT_EQ(kernel_.page(root_).unsync_child_bitmap, before.unsync_child_bitmap);
  EXPECT_THAT(replay(), SizeIs(1));
}

class UnsyncOfEra : public testing::TestWithParam<Era> {};

TEST_P(UnsyncOfEra, IsTheSame) {
  FakeKernel kernel({.era = GetParam()});
  FakeVm& vm = kernel.add_vm();
  vm.add_vcpu(0);
  const FakePage root = vm.add_page({.level = 4});
  const FakePage three = vm.grow(root, 300, {.level = 3});
  const FakePage two = vm.grow(three, 70, {.level = 2});
  vm.grow(two, 511, {.level = 1, .unsync = true});

  UnsyncReplay replay(kernel.kvm(), kernel.page(root));
  const std::optional<UnsyncBatch> batch = replay.next();

  ASSERT_TRUE(batch);
  ASSERT_THAT(batch->steps, SizeIs(1));
  EXPECT_EQ(batch->steps[0].parents[0].idx, 511);
  EXPECT_EQ(batch->steps[0].parents[1].idx, 70);
  EXPECT_EQ(batch->steps[0].parents[2].idx, 300);
  EXPECT_FALSE(replay.next());
}

INSTANTIATE_TEST_SUITE_P(Eras, UnsyncOfEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

}  // namespace
}  // namespace kvmscope::kvm
