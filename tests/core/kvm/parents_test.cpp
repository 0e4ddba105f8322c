// The parents of a shadow page: one SPTE, or a list of chunks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

class ParentCount : public testing::TestWithParam<Era> {};

TEST_P(ParentCount, IsThatOfTheEntriesThatPointToThePage) {
  for (const unsigned count : {1, 2, 3, 4, 14, 15, 30}) {
    FakeKernel kernel({.era = GetParam()});
    FakeVm& vm = kernel.add_vm();
    const FakePage parent = vm.add_page({.level = 2});
    const FakePage child = vm.add_page({.level = 1});
    for (unsigned i = 0; i < count; ++i) vm.link(parent, i, child);
    EXPECT_EQ(kernel.kvm().parent_count(kernel.page(child)), count);
    EXPECT_EQ(kernel.kvm().parent_count(kernel.page(parent)), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Eras, ParentCount, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

class ParentsOfEra : public testing::TestWithParam<Era> {
 protected:
  ParentsOfEra() : kernel_({.era = GetParam()}) {
    FakeVm& vm = kernel_.add_vm();
    const FakePage parent = vm.add_page({.level = 2});
    child_ = vm.add_page({.level = 1});
    vm.link(parent, 0, child_);
    vm.link(parent, 1, child_);
    const std::uint64_t head =
        kernel_.memory().get(child_.address, "kvm_mmu_page", "parent_ptes.val");
    chunk_ = {head & ~std::uint64_t{3}};
  }
  std::uint64_t count() { return kernel_.kvm().parent_count(kernel_.page(child_)); }

  FakeKernel kernel_;
  FakePage child_;
  VirtAddr chunk_;
};

TEST_P(ParentsOfEra, IgnoresTheLockBit) {
  kernel_.memory().set(child_.address, "kvm_mmu_page", "parent_ptes.val", chunk_.value | 3);
  EXPECT_EQ(count(), 2u);
}

TEST_P(ParentsOfEra, ReportsAChunkThatIsItsOwnSuccessor) {
  kernel_.memory().set(chunk_, "pte_list_desc", "more", chunk_.value);
  EXPECT_ERROR(count(), ErrorKind::corrupt, "do not end");
}

TEST_P(ParentsOfEra, ReportsARingOfEmptyChunks) {
  FakeMemory& memory = kernel_.memory();
  const VirtAddr other = memory.allocate("pte_list_desc");
  memory.set(other, "pte_list_desc", "more", chunk_.value);
  memory.set(chunk_, "pte_list_desc", "more", other.value);
  memory.set(chunk_, "pte_list_desc", "sptes[0]", 0);
  memory.try_set(chunk_, "pte_list_desc", {"spte_count"}, 0);
  EXPECT_ERROR(count(), ErrorKind::corrupt, "do not end");
}

TEST_P(ParentsOfEra, SaysThatAChunkIsMissing) {
  kernel_.memory().leave_out(chunk_, 8);
  EXPECT_ERROR(count(), ErrorKind::fault, "no such memory");
}

INSTANTIATE_TEST_SUITE_P(Eras, ParentsOfEra, testing::Values(Era::v5_10, Era::v6_1, Era::v6_12),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST(Parents, RefusesAChunkThatClaimsMoreThanItHolds) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  const FakePage parent = vm.add_page({.level = 2});
  const FakePage child = vm.add_page({.level = 1});
  vm.link(parent, 0, child);
  vm.link(parent, 1, child);
  const VirtAddr chunk{kernel.page(child).parent_ptes & ~std::uint64_t{3}};
  kernel.memory().set(chunk, "pte_list_desc", "spte_count", 15);
  EXPECT_ERROR(kernel.kvm().parent_count(kernel.page(child)), ErrorKind::corrupt,
               "claims 15 entries");
}

TEST(Parents, OfAChunkEndAtItsFirstNullAndGoOnInTheNext) {
  FakeKernel kernel({.era = Era::v5_10});
  FakeVm& vm = kernel.add_vm();
  const FakePage parent = vm.add_page({.level = 2});
  const FakePage child = vm.add_page({.level = 1});
  for (unsigned i = 0; i < 4; ++i) vm.link(parent, i, child);
  // One was removed from the first chunk: its last entry moved into the gap.
  const VirtAddr chunk{kernel.page(child).parent_ptes & ~std::uint64_t{3}};
  kernel.memory().set(chunk, "pte_list_desc", "sptes[2]", 0);
  EXPECT_EQ(kernel.kvm().parent_count(kernel.page(child)), 3u);
}

}  // namespace
}  // namespace kvmscope::kvm
