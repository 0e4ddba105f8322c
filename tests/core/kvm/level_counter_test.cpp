// Counts per level: by path, and bounded whatever the tables point to.

#include <gtest/gtest.h>

#include "core/kvm/level_counter.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

class Levels : public testing::Test {
 protected:
  Levels() : vm_(kernel_.add_vm()) { vm_.add_vcpu(0); }

  LevelCounts count(const FakePage& page) {
    LevelCounter counter(kernel_.kvm(), [&](const Error&) { ++lost_; });
    return counter.count(start_of(kernel_.kvm(), kernel_.page(page)));
  }

  FakeKernel kernel_;
  FakeVm& vm_;
  FakePage root_ = vm_.add_page({.level = 4});
  int lost_ = 0;
};

TEST_F(Levels, CountTablesAndLeaves) {
  const FakePage three = vm_.grow(root_, 0, {.level = 3});
  const FakePage two = vm_.grow(three, 0, {.level = 2});
  const FakePage one = vm_.grow(two, 0, {.level = 1});
  vm_.map(three, 5, {0x40000});
  vm_.map(two, 5, {0x200});
  vm_.map(two, 6, {0x400});
  for (unsigned i = 0; i < 512; ++i) vm_.map(one, i, {i});

  const LevelCounts counts = count(root_);

  EXPECT_EQ(counts.tables[4], 1u);
  EXPECT_EQ(counts.tables[3], 1u);
  EXPECT_EQ(counts.leaves[3], 1u);
  EXPECT_EQ(counts.tables[2], 1u);
  EXPECT_EQ(counts.leaves[2], 2u);
  EXPECT_EQ(counts.leaves[1], 512u);
  EXPECT_EQ(counts.tables[1], 0u);
}

TEST_F(Levels, CountASharedTableOncePerParent) {
  const FakePage three = vm_.grow(root_, 0, {.level = 3});
  const FakePage two = vm_.grow(three, 0, {.level = 2});
  const FakePage one = vm_.grow(two, 0, {.level = 1});
  vm_.link(two, 1, one);
  vm_.link(root_, 1, three);
  vm_.map(one, 0, {1});
  EXPECT_EQ(count(root_).tables[2], 4u);
  EXPECT_EQ(count(root_).leaves[1], 4u);
}

TEST_F(Levels, LeaveOutWhatIsNoEntry) {
  const FakePage one = vm_.add_page({.level = 1});
  vm_.map(one, 0, {1});
  kernel_.memory().poke(one.entry(1), 0x5a0);                   // frozen
  kernel_.memory().poke(one.entry(2), 1ULL << 51 | 0x1234001);  // MMIO
  kernel_.memory().poke(one.entry(3), 0x1234007);               // without the software bit
  EXPECT_EQ(count(one).leaves[1], 1u);
}

TEST_F(Levels, CountByValueBeforeTheSoftwareBit) {
  FakeKernel kernel({.era = Era::v5_10});
  FakeVm& vm = kernel.add_vm();
  const FakePage one = vm.add_page({.level = 1});
  vm.map(one, 0, {1});
  kernel.memory().poke(one.entry(1), 3ULL << 52 | 0x1234007);  // MMIO
  LevelCounter counter(kernel.kvm(), [](const Error&) {});
  EXPECT_EQ(counter.count(start_of(kernel.kvm(), kernel.page(one))).leaves[1], 1u);
}

TEST_F(Levels, EndAtATableThatPointsToItself) {
  kernel_.memory().poke(root_.entry(0), kernel_.table_entry(root_.hpa()));
  vm_.map(vm_.grow(root_, 1, {.level = 3}), 0, {0x40000});
  const LevelCounts counts = count(root_);
  EXPECT_EQ(counts.tables[4], 2u);
  EXPECT_EQ(counts.leaves[3], 1u);
  EXPECT_EQ(counts.tables[3], 0u);
  EXPECT_EQ(lost_, 1);
}

// 512 entries of four tables make 512 to the power of 4 paths; each table is read once.
TEST_F(Levels, CannotBeMadeToExplode) {
  FakePage page = root_;
  for (const unsigned level : {3, 2, 1}) {
    const FakePage below = vm_.add_page({.level = level});
    for (unsigned i = 0; i < 512; ++i)
      kernel_.memory().poke(page.entry(i), kernel_.table_entry(below.hpa()));
    page = below;
  }
  for (unsigned i = 0; i < 512; ++i) vm_.map(page, i, {i});
  const TreeStart start = start_of(kernel_.kvm(), kernel_.page(root_));
  const std::uint64_t before = kernel_.memory().physical().counts().bytes;
  LevelCounter counter(kernel_.kvm(), [](const Error&) {});
  EXPECT_EQ(counter.count(start).leaves[1], 1ULL << 36);
  EXPECT_LE(kernel_.memory().physical().counts().bytes - before, 4 * page_size + 4096);
}

TEST_F(Levels, TellWhatCouldNotBeRead) {
  const FakePage three = vm_.grow(root_, 0, {.level = 3});
  const FakePage two = vm_.grow(three, 0, {.level = 2});
  vm_.link(three, 1, two);
  vm_.map(three, 5, {0x40000});
  kernel_.memory().leave_out(two.table);

  const LevelCounts counts = count(root_);

  EXPECT_EQ(lost_, 1);  // once, although it has two parents
  EXPECT_EQ(counts.tables[3], 2u);
  EXPECT_EQ(counts.leaves[3], 1u);
}

}  // namespace
}  // namespace kvmscope::kvm
