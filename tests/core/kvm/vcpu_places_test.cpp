// Every vCPU with few reads, as Kvm::vcpu_at() finds it.

#include "core/kvm/vcpu_places.hpp"

#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

// VMs with so many vCPUs each, in order of creation.
void add_vms(FakeKernel& kernel, std::initializer_list<unsigned> counts) {
  for (const unsigned count : counts) {
    FakeVm& vm = kernel.add_vm();
    for (unsigned id = 0; id < count; ++id) vm.add_vcpu(id);
  }
}

// The same by the ordinary way.
std::vector<VirtAddr> one_by_one(FakeKernel& kernel, std::initializer_list<unsigned> counts) {
  std::vector<VirtAddr> addresses;
  unsigned index = 0;
  for (const unsigned count : counts) {
    for (unsigned idx = 0; idx < count; ++idx) addresses.push_back(kernel.vcpu(index, idx).address);
    ++index;
  }
  return addresses;
}

TEST(VcpuPlaces, AreThoseOfAllVmsInOrderOfCreationOnEveryKernel) {
  const auto counts = {1U, 3U, 0U, 2U};
  for (const Era era : {Era::v4_19, Era::v5_10, Era::v6_1, Era::v6_12}) {
    FakeKernel kernel({.era = era});
    add_vms(kernel, counts);
    const auto places = find_vcpu_places(kernel.kvm());
    ASSERT_TRUE(places);
    std::vector<VirtAddr> addresses;
    std::vector<unsigned> vms;
    for (const VcpuPlace& place : *places) {
      addresses.push_back(place.address);
      vms.push_back(place.vm);
      EXPECT_EQ(place.vm_address, kernel.vm(place.vm).address);
    }
    EXPECT_EQ(addresses, one_by_one(kernel, counts));
    EXPECT_EQ(vms, (std::vector<unsigned>{0, 1, 1, 1, 3, 3}));
  }
}

TEST(VcpuPlaces, AreNoneWithoutVms) {
  FakeKernel kernel;
  EXPECT_TRUE(find_vcpu_places(kernel.kvm()).value().empty());
}

TEST(VcpuPlaces, StopAtABrokenList) {
  FakeKernel kernel;
  add_vms(kernel, {1, 1, 1});
  kernel.kvm();
  // The newest points to itself: its prev is the head, not itself.
  const VirtAddr newest = kernel.vm(2).address;
  kernel.memory().set(newest, "kvm", "vm_list.next",
                      kernel.memory().member(newest, "kvm", "vm_list").value);
  EXPECT_ERROR(find_vcpu_places(kernel.kvm()), ErrorKind::corrupt, "vm_list is broken");
  kernel.memory().set(newest, "kvm", "vm_list.next", 0xdead000000000100);
  EXPECT_ERROR(find_vcpu_places(kernel.kvm()), ErrorKind::corrupt, "list poison");
}

TEST(VcpuPlaces, RefuseAVcpuThatIsNoAddress) {
  FakeKernel kernel({.era = Era::v5_10});
  add_vms(kernel, {2});
  kernel.memory().set(kernel.vm(0).address, "kvm", "vcpus[1]", 0);
  EXPECT_ERROR(find_vcpu_places(kernel.kvm()), ErrorKind::corrupt, "NULL");
}

TEST(VcpuPlaces, FaultWhereAVmCannotBeRead) {
  FakeKernel kernel;
  add_vms(kernel, {1});
  const VirtAddr vm = kernel.vm(0).address;
  kernel.memory().leave_out(vm, kernel.memory().size_of("kvm"));
  EXPECT_ERROR(find_vcpu_places(kernel.kvm()), ErrorKind::fault, "");
}

}  // namespace
}  // namespace kvmscope::kvm
