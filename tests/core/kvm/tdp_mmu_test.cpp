// The TDP MMU: whether it is on, its roots, and what its pages do not have.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TdpMmu, IsOnPerVmOrGlobally) {
  for (const Era era : {Era::v5_15, Era::v6_12}) {
    FakeKernel on({.era = era, .tdp_enabled = true, .tdp_mmu = true});
    on.add_vm();
    EXPECT_TRUE(on.kvm().uses_tdp_mmu(on.vm()));
    FakeKernel off({.era = era, .tdp_enabled = true, .tdp_mmu = false});
    off.add_vm();
    EXPECT_FALSE(off.kvm().uses_tdp_mmu(off.vm()));
    FakeKernel shadow({.era = era, .tdp_enabled = false, .tdp_mmu = true});
    shadow.add_vm();
    EXPECT_FALSE(shadow.kvm().uses_tdp_mmu(shadow.vm()));
  }
}

TEST(TdpMmu, ListsItsRoots) {
  FakeKernel kernel({.tdp_enabled = true, .tdp_mmu = true});
  FakeVm& vm = kernel.add_vm();
  const FakePage root = vm.add_page({.level = 4, .direct = true, .tdp_mmu = true, .root = true});
  const FakePage below = vm.grow(root, 0, {.level = 3, .direct = true, .tdp_mmu = true});

  EXPECT_THAT(kernel.kvm().tdp_roots(kernel.vm()), ElementsAre(root.address));
  EXPECT_EQ(kernel.kvm().parent_count(kernel.page(below)), 1u);
  EXPECT_EQ(kernel.kvm().parent_count(kernel.page(root)), 0u);
}

// The list head is not even initialised then.
TEST(TdpMmu, HasNoRootsWhileItIsOff) {
  FakeKernel kernel({.tdp_enabled = true, .tdp_mmu = false});
  kernel.add_vm();
  EXPECT_THAT(kernel.kvm().tdp_roots(kernel.vm()), IsEmpty());
}

// The words of unsync_children and the bitmap mean other things there.
TEST(TdpMmu, PagesHaveNoUnsyncChildren) {
  FakeKernel kernel({.tdp_enabled = true, .tdp_mmu = true});
  const FakePage fake =
      kernel.add_vm().add_page({.level = 4, .direct = true, .tdp_mmu = true, .root = true});
  kernel.memory().set(fake.address, "kvm_mmu_page", "unsync_children", 77);
  kernel.memory().set(fake.address, "kvm_mmu_page", "tdp_mmu_async_work[0]", ~0ULL);
  const ShadowPage page = kernel.page(fake);
  EXPECT_TRUE(page.tdp_mmu);
  EXPECT_EQ(page.unsync_children, 0u);
  EXPECT_FALSE(test_bit(page.unsync_child_bitmap, 0));
}

TEST(TdpMmu, PagesCountReferencesInTheUnion) {
  FakeKernel kernel({.tdp_enabled = true, .tdp_mmu = true});
  const FakePage fake =
      kernel.add_vm().add_page({.level = 4, .direct = true, .tdp_mmu = true, .root = true});
  kernel.memory().set(fake.address, "kvm_mmu_page", "tdp_mmu_root_count.refs.counter", 2);
  EXPECT_EQ(kernel.page(fake).root_count, 2);
}

}  // namespace
}  // namespace kvmscope::kvm
