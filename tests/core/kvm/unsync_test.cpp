// The replay of mmu_unsync_walk() and for_each_sp(): batches, steps, and bits that are stale.

#include "core/kvm/unsync.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Unsync : public testing::Test {
 protected:
  Unsync() : vm_(kernel_.add_vm()) { vm_.add_vcpu(0); }

  std::vector<UnsyncBatch> replay() { return replay(root_); }
  std::vector<UnsyncBatch> replay(const FakePage& root) {
    UnsyncReplay replay(kernel_.kvm(), kernel_.page(root));
    std::vector<UnsyncBatch> batches;
    while (std::optional<UnsyncBatch> batch = replay.next()) batches.push_back(std::move(*batch));
    return batches;
  }

  // A chain of pages from level 3 down to level 2 below entry `index` of the root.
  FakePage branch(unsigned index) {
    return vm_.grow(vm_.grow(root_, index, {.level = 3}), 0, {.level = 2});
  }
  FakePage leaf(const FakePage& parent, unsigned index, std::uint64_t gfn = 0) {
    return vm_.grow(parent, index, {.level = 1, .gfn = gfn, .unsync = true});
  }

  // "4[-1] 3[1]": level and entry in the parent.
  static std::vector<std::string> pages(const UnsyncBatch& batch) {
    std::vector<std::string> words;
    for (const UnsyncPage& page : batch.pages)
      words.push_back(fmt::format("{}[{}]", page.level, page.idx));
    return words;
  }
  // "3: 2[0] 3[0] 4[1]": the place in pages, then the parents from the leaf's up.
  static std::vector<std::string> steps(const UnsyncBatch& batch) {
    std::vector<std::string> lines;
    for (const UnsyncStep& step : batch.steps) {
      std::string line = fmt::format("{}:", step.at);
      for (const UnsyncPage& parent : step.parents)
        line += fmt::format(" {}[{}]", parent.level, parent.idx);
      lines.push_back(line);
    }
    return lines;
  }

  FakeKernel kernel_;
  FakeVm& vm_;
  FakePage root_ = vm_.add_page({.level = 4, .gfn = 0x10f});
};

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

// A count without bits: the kernel would warn, the replay must end.
TEST_F(Unsync, WrongCountDoesNotMakeItLoop) {
  kernel_.memory().set(root_.address, "kvm_mmu_page", "unsync_children", 5);
  const std::vector<UnsyncBatch> none = replay();
  ASSERT_THAT(none, SizeIs(1));
  EXPECT_THAT(pages(none[0]), ElementsAre("4[-1]"));

  leaf(branch(1), 6);  // the count was not 0: marking stops here
  vm_.mark(root_, 1);
  kernel_.memory().set(root_.address, "kvm_mmu_page", "unsync_children", 5000);
  const std::vector<UnsyncBatch> batches = replay();
  ASSERT_FALSE(batches.empty());
  EXPECT_LE(batches.size(), 2u);
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

TEST_F(Unsync, ChildOfTheWrongLevelIsCorrupt) {
  const FakePage two = branch(0);
  const FakePage odd = vm_.add_page({.level = 3, .unsync = true});
  vm_.link(two, 5, odd);
  EXPECT_ERROR(replay(), ErrorKind::corrupt, "of level 3 hangs below");
}

TEST_F(Unsync, TableThatPointsToItselfIsCorrupt) {
  vm_.link(root_, 5, root_);
  vm_.mark(root_, 5);
  EXPECT_ERROR(replay(), ErrorKind::corrupt, "of level 4 hangs below");
}

TEST_F(Unsync, UnreadableChildIsNotedAndTakenAsStale) {
  const FakePage two = branch(0);
  const FakePage lost = leaf(two, 0);
  leaf(two, 1);
  kernel_.memory().leave_out(lost.address, 64);

  const std::vector<UnsyncBatch> batches = replay();

  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(pages(batches[0]), ElementsAre("4[-1]", "3[0]", "2[0]", "1[1]"));
  EXPECT_THAT(batches[0].notes, ElementsAre(HasSubstr("no such memory")));
}

TEST_F(Unsync, TableThatNoShadowPageOwnsIsNoted) {
  const FakePage two = branch(0);
  leaf(two, 1);
  const VirtAddr foreign = kernel_.memory().allocate_page();
  kernel_.memory().poke(two.entry(0), kernel_.table_entry(FakeMemory::phys(foreign)));
  vm_.mark(two, 0);
  const std::vector<UnsyncBatch> batches = replay();
  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(batches[0].notes, ElementsAre(HasSubstr("no shadow page owns it")));
}

TEST_F(Unsync, MissingTableIsAFault) {
  const FakePage two = branch(0);
  leaf(two, 1);
  kernel_.memory().leave_out(two.table);
  EXPECT_ERROR(replay(), ErrorKind::fault, "no such memory");
}

TEST_F(Unsync, PageWhoseTableIsNoneIsCorrupt) {
  leaf(branch(0), 1);
  ShadowPage root = kernel_.page(root_);
  root.spt = {0x1000};
  UnsyncReplay replay(kernel_.kvm(), root);
  EXPECT_ERROR(replay.next(), ErrorKind::corrupt, "which is no table");
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
