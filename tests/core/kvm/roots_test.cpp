// The root slots of a vCPU: current, previous, PAE, nested and broken ones.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

using testing::ElementsAre;

std::vector<std::string> names(const std::vector<Root>& roots) {
  std::vector<std::string> names;
  for (const Root& root : roots) names.push_back(root.name() + (root.valid ? "" : " empty"));
  return names;
}

class RootsOfEra : public testing::TestWithParam<Era> {};

TEST_P(RootsOfEra, AreTheCurrentAndThreePreviousOnes) {
  FakeKernel kernel({.era = GetParam()});
  FakeVm& vm = kernel.add_vm();
  const FakePage current = vm.add_page({.level = 4, .gfn = 0x10f});
  const FakePage old = vm.add_page({.level = 4, .gfn = 0x120});
  FakeVcpu& vcpu = vm.add_vcpu(3);
  vcpu.run_on(current, 0x10f000);
  vcpu.keep(0, old, 0x120000);
  vcpu.forget(1, 0x100000);

  const std::vector<Root> roots = kernel.kvm().roots(kernel.vcpu());

  EXPECT_THAT(names(roots), ElementsAre("0.3", "0.3.prev0", "0.3.prev1 empty", "0.3.prev2 empty"));
  EXPECT_EQ(roots[0].hpa, current.hpa());
  EXPECT_EQ(roots[0].level, 4u);
  EXPECT_FALSE(roots[0].special);
  ASSERT_TRUE(roots[0].page);
  EXPECT_EQ(roots[0].page->address, current.address);
  EXPECT_EQ(roots[0].page->root_count, 1);
  EXPECT_EQ(roots[1].page->gfn, Gfn{0x120});
  EXPECT_EQ(roots[1].pgd, 0x120000u);
  EXPECT_EQ(roots[2].pgd, 0x100000u);
  EXPECT_FALSE(roots[2].page);
  EXPECT_EQ(roots[2].hpa, PhysAddr{});
}

// v4.19 keeps no copy of CR3 in struct kvm_mmu.
TEST_P(RootsOfEra, KnowThePgdWhereTheKernelKeepsIt) {
  FakeKernel kernel({.era = GetParam()});
  FakeVm& vm = kernel.add_vm();
  vm.add_vcpu(0).run_on(vm.add_page({.level = 4}), 0x10f018);
  const std::optional<std::uint64_t> pgd = kernel.kvm().roots(kernel.vcpu())[0].pgd;
  if (GetParam() == Era::v4_19)
    EXPECT_EQ(pgd, std::nullopt);
  else
    EXPECT_EQ(pgd, 0x10f018u);
}

TEST_P(RootsOfEra, IncludeTheFourEntriesOfAPaeTable) {
  FakeKernel kernel({.era = GetParam()});
  FakeVm& vm = kernel.add_vm();
  const FakePage first = vm.add_page({.level = 2, .quadrant = 0, .four_byte_gpte = true});
  const FakePage last = vm.add_page({.level = 2, .quadrant = 3, .four_byte_gpte = true});
  FakeVcpu& vcpu = vm.add_vcpu(0);
  const VirtAddr table = vcpu.run_on_pae({first, {}, {}, last}, 0x5000);
  kernel.memory().poke(table + 16, ~0ULL);  // what an empty one held until v5.11

  const std::vector<Root> roots = kernel.kvm().roots(kernel.vcpu());

  EXPECT_THAT(names(roots),
              ElementsAre("0.0", "0.0.pae0", "0.0.pae1 empty", "0.0.pae2 empty", "0.0.pae3",
                          "0.0.prev0 empty", "0.0.prev1 empty", "0.0.prev2 empty"));
  EXPECT_TRUE(roots[0].special);
  EXPECT_EQ(roots[0].level, 3u);
  EXPECT_FALSE(roots[0].page);
  EXPECT_FALSE(roots[1].special);
  EXPECT_EQ(roots[1].level, 2u);
  EXPECT_EQ(roots[1].page->address, first.address);
  EXPECT_EQ(roots[4].page->role.quadrant, 3u);
}

// The zero page: a guest's CR3 that lies outside every memslot.
TEST_P(RootsOfEra, MayHaveNoShadowPage) {
  FakeKernel kernel({.era = GetParam()});
  const VirtAddr zero = kernel.memory().allocate_page();
  kernel.add_vm().add_vcpu(0).run_on_table(FakeMemory::phys(zero), 0x7000, 4);

  const Root root = kernel.kvm().roots(kernel.vcpu())[0];

  EXPECT_TRUE(root.valid);
  EXPECT_FALSE(root.special);
  EXPECT_FALSE(root.page);
  EXPECT_EQ(root.level, 4u);
}

INSTANTIATE_TEST_SUITE_P(Eras, RootsOfEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST(Roots, OfGuestMmuAreListedOnceItWasUsed) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  const FakePage outer = vm.add_page({.level = 4, .direct = true});
  const FakePage nested = vm.add_page({.level = 4, .gfn = 0x77, .guest_mode = true});
  FakeVcpu& vcpu = vm.add_vcpu(0);
  vcpu.run_on(outer, 0);
  EXPECT_EQ(kernel.kvm().roots(kernel.vcpu()).size(), 4u);

  vcpu.enter_nested_guest();
  vcpu.run_on(nested, 0x77000);

  const std::vector<Root> roots = kernel.kvm().roots(kernel.vcpu());
  ASSERT_EQ(roots.size(), 8u);
  EXPECT_EQ(roots[0].name(), "0.0.root_mmu");
  EXPECT_EQ(roots[4].name(), "0.0");
  EXPECT_EQ(roots[4].mmu, MmuKind::guest_mmu);
  EXPECT_EQ(roots[4].page->gfn, Gfn{0x77});
}

// A 4-level table of a 32-bit guest on nested paging: pml4_root[0] leads to pae_root.
TEST(Roots, RecogniseTheOtherSpecialTables) {
  FakeKernel kernel;
  FakeVcpu& vcpu = kernel.add_vm().add_vcpu(0);
  const VirtAddr table = kernel.memory().allocate_page();
  kernel.memory().set(vcpu.mmu(MmuKind::root_mmu), "kvm_mmu", "pml4_root", table.value);
  vcpu.run_on_table(FakeMemory::phys(table), 0x7000, 4);

  const Root root = kernel.kvm().roots(kernel.vcpu())[0];

  EXPECT_TRUE(root.special);
  EXPECT_EQ(root.level, 4u);
}

// What cannot be read of one slot is told with it: the others stay.
class DamagedRoots : public testing::Test {
 protected:
  DamagedRoots() {
    vcpu_.run_on(page_, 0x1000);
    vcpu_.keep(0, other_, 0x2000);
  }
  std::vector<Root> roots() { return kernel_.kvm().roots(kernel_.vcpu()); }

  FakeKernel kernel_;
  FakeVm& vm_ = kernel_.add_vm();
  FakePage page_ = vm_.add_page({.level = 4});
  FakePage other_ = vm_.add_page({.level = 4});
  FakeVcpu& vcpu_ = vm_.add_vcpu(0);
};

TEST_F(DamagedRoots, KeepTheOtherSlotsWhenAPageIsMissing) {
  kernel_.memory().leave_out(page_.address, 8);
  const std::vector<Root> found = roots();
  ASSERT_EQ(found.size(), 4u);
  ASSERT_TRUE(found[0].lost);
  EXPECT_EQ(found[0].lost->kind(), ErrorKind::fault);
  EXPECT_EQ(found[0].hpa, page_.hpa());
  EXPECT_FALSE(found[0].page);
  EXPECT_FALSE(found[1].lost);
  EXPECT_TRUE(found[1].page);
}

TEST_F(DamagedRoots, TellAPageOfAnImpossibleLevel) {
  kernel_.memory().set(page_.address, "kvm_mmu_page", "role.level", 9);
  const std::vector<Root> found = roots();
  ASSERT_TRUE(found[0].lost);
  EXPECT_EQ(found[0].lost->kind(), ErrorKind::corrupt);
}

TEST_F(DamagedRoots, KeepTheOthersWhenAnEntryOfAPaeTableIsLost) {
  const FakePage first = vm_.add_page({.level = 2});
  const FakePage second = vm_.add_page({.level = 2});
  vcpu_.run_on_pae({first, second, {}, {}}, 0x5000);
  kernel_.memory().leave_out(first.address, 8);
  const std::vector<Root> found = roots();
  EXPECT_TRUE(found[1].lost);
  EXPECT_FALSE(found[2].lost);
  EXPECT_TRUE(found[2].page);
}

TEST_F(DamagedRoots, AreAFaultWhenTheMmuIsMissing) {
  const Vcpu vcpu = kernel_.vcpu();
  kernel_.memory().leave_out(vcpu_.mmu(MmuKind::root_mmu), 8 * 14);
  EXPECT_ERROR(kernel_.kvm().roots(vcpu), ErrorKind::fault, "reading the roots of vCPU 0 of VM 0");
}

}  // namespace
}  // namespace kvmscope::kvm
