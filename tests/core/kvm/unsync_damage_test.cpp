// The unsync replay on pages that are missing or make no sense.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/core/kvm/unsync_fixture.hpp"

namespace kvmscope::kvm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

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

}  // namespace
}  // namespace kvmscope::kvm
