// VMs, vCPUs and shadow pages, against kernels built in memory.

#include "core/kvm/kvm.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

using testing::ElementsAre;

std::vector<VirtAddr> vm_addresses(const Kvm& kvm) {
  std::vector<VirtAddr> addresses;
  kvm.each_vm_address([&](VirtAddr at) { addresses.push_back(at); });
  return addresses;
}

std::vector<VirtAddr> active_pages(const Kvm& kvm, const Vm& vm) {
  std::vector<VirtAddr> addresses;
  kvm.each_active_page(vm, [&](VirtAddr at) { addresses.push_back(at); });
  return addresses;
}

// What every era has in common.
class KvmOfEra : public testing::TestWithParam<Era> {};

TEST_P(KvmOfEra, FindsVmsNewestFirst) {
  FakeKernel kernel({.era = GetParam()});
  const FakeVm& first = kernel.add_vm();
  const FakeVm& second = kernel.add_vm();

  EXPECT_THAT(vm_addresses(kernel.kvm()), ElementsAre(second.address(), first.address()));
}

TEST_P(KvmOfEra, ReadsTheVmsNameAndOwner) {
  FakeKernel kernel({.era = GetParam()});
  kernel.add_vm({.pid = 1234, .fd = 17, .comm = "qemu-system-x86"});

  const Vm vm = kernel.vm();
  EXPECT_EQ(kernel.kvm().id(vm), "1234-17");
  const std::optional<Task> owner =
      kernel.kvm().tasks().owner(vm.fields.pointer(kernel.kvm().layout().vm().mm));
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->tgid, 1234);
  EXPECT_EQ(owner->comm, "qemu-system-x86");
  EXPECT_EQ(owner->state, "S");
  EXPECT_EQ(kernel.kvm().tasks().cgroup(owner->address), "/vms/one");
}

TEST_P(KvmOfEra, FindsAllVcpusByTheirPlace) {
  FakeKernel kernel({.era = GetParam()});
  FakeVm& vm = kernel.add_vm();
  for (const std::uint64_t id : {0, 4, 9}) vm.add_vcpu(id);

  EXPECT_EQ(kernel.kvm().vcpu_count(kernel.vm()), 3u);
  const Vcpu last = kernel.vcpu(0, 2);
  EXPECT_EQ(last.fields.get(kernel.kvm().layout().vcpu().vcpu_id), 9u);
  EXPECT_EQ(last.idx, 2u);
}

TEST_P(KvmOfEra, FindsTheOneVcpu) {
  FakeKernel kernel({.era = GetParam()});
  FakeVcpu& vcpu = kernel.add_vm().add_vcpu(7);
  EXPECT_EQ(kernel.vcpu().address, vcpu.address());
}

TEST_P(KvmOfEra, CountsActivePagesAsKvmDoes) {
  FakeKernel kernel({.era = GetParam()});
  FakeVm& vm = kernel.add_vm();
  const FakePage a = vm.add_page({.level = 4});
  const FakePage b = vm.add_page({.level = 1});

  EXPECT_THAT(active_pages(kernel.kvm(), kernel.vm()), ElementsAre(a.address, b.address));
  EXPECT_EQ(kernel.vm().fields.get(kernel.kvm().layout().vm().used_pages), 2u);
}

TEST_P(KvmOfEra, DecodesAShadowPage) {
  FakeKernel kernel({.era = GetParam()});
  const FakePage fake = kernel.add_vm().add_page({.level = 2,
                                                  .gfn = 0x1234,
                                                  .unsync = true,
                                                  .access = 5,
                                                  .quadrant = 3,
                                                  .four_byte_gpte = true,
                                                  .guest_mode = true,
                                                  .ad_disabled = true,
                                                  .smm = 1});
  const ShadowPage page = kernel.page(fake);
  EXPECT_EQ(page.spt, fake.table);
  EXPECT_EQ(page.gfn, Gfn{0x1234});
  EXPECT_EQ(page.level(), 2u);
  EXPECT_TRUE(page.unsync);
  EXPECT_EQ(page.role.text(), "4-byte q3 -ux nxe !ad");
  EXPECT_TRUE(page.role.guest_mode);
  EXPECT_EQ(page.role.smm, 1u);
}

TEST_P(KvmOfEra, FindsTheShadowPageOfATable) {
  FakeKernel kernel({.era = GetParam()});
  const FakePage fake = kernel.add_vm().add_page({.level = 3});
  const std::optional<ShadowPage> page = kernel.kvm().page_of_table(fake.hpa());
  ASSERT_TRUE(page);
  EXPECT_EQ(page->address, fake.address);
}

// gfns before v6.0, shadowed_translation with access bits since.
TEST_P(KvmOfEra, KnowsWhatAnEntryMaps) {
  FakeKernel kernel({.era = GetParam()});
  FakeVm& vm = kernel.add_vm();
  const FakePage indirect = vm.add_page({.level = 1, .gfn = 0x50});
  vm.map(indirect, 3, {0x999}, {.gfn = 0x21});
  const FakePage direct = vm.add_page({.level = 2, .gfn = 0x400, .direct = true});

  EXPECT_EQ(kernel.kvm().entry_gfn(kernel.page(indirect), 3), Gfn{0x21});
  EXPECT_EQ(kernel.kvm().entry_gfn(kernel.page(direct), 3), Gfn{0x400 + 3 * 512});
}

INSTANTIATE_TEST_SUITE_P(Eras, KvmOfEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

// ---- KVM as a module

TEST(Kvm, FindsItsVariablesInTheModule) {
  FakeKernel kernel({.module = true});
  const FakeVm& vm = kernel.add_vm();
  EXPECT_THAT(vm_addresses(kernel.kvm()), ElementsAre(vm.address()));
  EXPECT_EQ(kernel.kvm().variable("vm_list")->module, "kvm");
  EXPECT_FALSE(kernel.kvm().flag("tdp_enabled"));
  EXPECT_FALSE(kernel.kvm().flag("no_such_flag"));
}

TEST(Kvm, SaysThatItIsNotLoaded) {
  FakeKernel kernel;
  kernel.remove_variable("vm_list");
  EXPECT_ERROR(kernel.kvm(), ErrorKind::unavailable, "kvm is not loaded");
}

// ---- damage

TEST(Kvm, ReportsVmListWhoseLinksDisagree) {
  FakeKernel kernel;
  kernel.add_vm();
  kernel.memory().poke(kernel.vm_list() + 8, 0xffff888000005000);
  EXPECT_ERROR(vm_addresses(kernel.kvm()), ErrorKind::corrupt, "walking vm_list");
}

TEST(Kvm, VisitsTheVmsBeforeAMissingOne) {
  FakeKernel kernel;
  const FakeVm& old = kernel.add_vm();
  const FakeVm& young = kernel.add_vm();
  kernel.memory().leave_out(kernel.memory().member(old.address(), "kvm", "vm_list"), 16);
  std::vector<VirtAddr> seen;
  EXPECT_ERROR(kernel.kvm().each_vm_address([&](VirtAddr at) { seen.push_back(at); }),
               ErrorKind::fault, "no such memory");
  EXPECT_THAT(seen, ElementsAre(young.address()));
}

TEST(Kvm, SaysWhichVmIsMissing) {
  FakeKernel kernel;
  const FakeVm& vm = kernel.add_vm();
  kernel.memory().leave_out(kernel.memory().member(vm.address(), "kvm", "mm"), 8);
  EXPECT_ERROR(kernel.vm(), ErrorKind::fault, "reading the VM at");
}

TEST(Kvm, HasNoNameForAVmWithoutDebugfs) {
  FakeKernel kernel;
  kernel.add_vm({.has_name = false});
  EXPECT_EQ(kernel.kvm().id(kernel.vm()), std::nullopt);
}

TEST(Kvm, RefusesACountOfVcpusThatMakesNoSense) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  vm.set("online_vcpus.counter", 0xffffffff);
  EXPECT_ERROR(kernel.kvm().vcpu_count(kernel.vm()), ErrorKind::corrupt, "claims");
}

TEST(Kvm, SaysThatAnOnlineVcpuIsNotThere) {
  for (const Era era : {Era::v5_10, Era::v6_1}) {
    FakeKernel kernel({.era = era});
    FakeVm& vm = kernel.add_vm();
    vm.add_vcpu(0);
    vm.add_vcpu(1);
    vm.set("online_vcpus.counter", 3);
    EXPECT_ERROR(kernel.vcpu(0, 2), ErrorKind::corrupt, "its slot is empty");
  }
}

TEST(Kvm, SaysWhichVcpuIsMissing) {
  FakeKernel kernel;
  const FakeVcpu& vcpu = kernel.add_vm().add_vcpu(0);
  kernel.memory().leave_out(vcpu.address());
  EXPECT_ERROR(kernel.vcpu(), ErrorKind::fault, "reading vCPU 0 of VM 0");
}

TEST(Kvm, ReportsActivePagesThatEndInPoison) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  vm.add_page({.level = 1});
  const FakePage zapped = vm.add_page({.level = 1});
  kernel.memory().poke(zapped.address, 0xdead000000000100);
  EXPECT_ERROR(active_pages(kernel.kvm(), kernel.vm()), ErrorKind::corrupt, "poison");
}

TEST(Kvm, ShowsTheActivePagesBehindOneThatIsMissingAndSaysHowManyAreNot) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  std::vector<VirtAddr> pages;
  for (int i = 0; i < 7; ++i) pages.push_back(vm.add_page({.level = 1}).address);
  kernel.memory().leave_out(pages[2], 16);
  kernel.memory().leave_out(pages[4], 16);
  std::vector<VirtAddr> found;
  const auto walk = [&] {
    kernel.kvm().each_active_page(kernel.vm(), [&](VirtAddr at) { found.push_back(at); });
  };
  EXPECT_ERROR(walk(), ErrorKind::fault,
               "walking active_mmu_pages of VM 0: at most 3 of 7 pages are missing");
  EXPECT_THAT(found, ElementsAre(pages[0], pages[1], pages[5], pages[6]));
}

TEST(Kvm, RefusesAShadowPageOfAnImpossibleLevel) {
  for (const std::uint64_t level : {0, 6, 15}) {
    FakeKernel kernel;
    const FakePage page = kernel.add_vm().add_page({.level = 1});
    kernel.memory().set(page.address, "kvm_mmu_page", "role.level", level);
    EXPECT_ERROR(kernel.page(page), ErrorKind::corrupt, "claims level");
  }
}

TEST(Kvm, SaysWhichShadowPageIsMissing) {
  FakeKernel kernel;
  const FakePage page = kernel.add_vm().add_page({.level = 1});
  kernel.memory().leave_out(page.address, 64);
  EXPECT_ERROR(kernel.page(page), ErrorKind::fault, "reading shadow page 0x");
}

// page_private() is shared by all of the kernel, so it is not believed.
TEST(Kvm, DoesNotBelievePageStructsOfOthers) {
  FakeKernel kernel;
  const FakePage page = kernel.add_vm().add_page({.level = 1});
  FakeMemory& memory = kernel.memory();
  const auto owner_of = [&](VirtAddr table) {
    return kernel.kvm().page_of_table(FakeMemory::phys(table));
  };
  EXPECT_EQ(owner_of(memory.allocate_page()), std::nullopt);     // 0
  EXPECT_EQ(owner_of(memory.allocate_page({3})), std::nullopt);  // a buddy's order
  EXPECT_EQ(owner_of(memory.allocate_page({0xffffffff81000000})), std::nullopt);
  EXPECT_EQ(owner_of(memory.allocate_page(page.address)), std::nullopt);  // freed, stale private
  EXPECT_TRUE(owner_of(page.table));
}

TEST(Kvm, SaysThatAPageStructIsMissing) {
  FakeKernel kernel;
  kernel.add_vm();
  EXPECT_ERROR(kernel.kvm().page_of_table({0x30000000}), ErrorKind::fault, "no such memory");
}

}  // namespace
}  // namespace kvmscope::kvm
