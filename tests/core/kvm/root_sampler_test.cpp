// One read of a vCPU, on kernels of every age.

#include "core/kvm/root_sampler.hpp"

#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel_eras.hpp"
#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope::kvm {
namespace {

TEST(RootSampler, ReadsCurrentAndPreviousRootsAndCr3) {
  FakeScenario scenario;
  const Kvm kvm(scenario.kernel.kernel());
  const RootSample sample = RootSampler(kvm).sample(scenario.vm.address(), scenario.vcpu.address());
  EXPECT_EQ(sample.mmu, MmuKind::root_mmu);
  EXPECT_EQ(sample.current, (RootSlot{0x11e000, scenario.current.hpa().value}));
  EXPECT_EQ(sample.cr3, 0x11e000u);
  ASSERT_EQ(sample.previous.size(), 3u);
  EXPECT_EQ(sample.previous[0], (RootSlot{0x10f000, scenario.root.hpa().value}));
  EXPECT_FALSE(sample.previous[1].valid());
  EXPECT_EQ(sample.previous[1].pgd, 0x100000u);
}

TEST(RootSampler, FollowsArchMmuToTheNestedGuests) {
  FakeScenario scenario;
  scenario.vcpu.enter_nested_guest();
  scenario.vcpu.run_on(scenario.root, 0x77000);
  const Kvm kvm(scenario.kernel.kernel());
  const RootSample sample = RootSampler(kvm).sample(scenario.vm.address(), scenario.vcpu.address());
  EXPECT_EQ(sample.mmu, MmuKind::guest_mmu);
  EXPECT_EQ(sample.current.hpa, scenario.root.hpa().value);
}

TEST(RootSampler, SeesAChangeAtTheNextRead) {
  FakeScenario scenario;
  const Kvm kvm(scenario.kernel.kernel());
  const RootSampler sampler(kvm);
  const RootSample before = sampler.sample(scenario.vm.address(), scenario.vcpu.address());
  scenario.vcpu.run_on(scenario.root, 0x10f000);
  const RootSample after = sampler.sample(scenario.vm.address(), scenario.vcpu.address());
  EXPECT_EQ(after.current, before.previous[0]);
}

TEST(RootSampler, SaysWhenSomethingElseLiesThere) {
  FakeScenario scenario;
  const Kvm kvm(scenario.kernel.kernel());
  const RootSampler sampler(kvm);
  EXPECT_ERROR(sampler.sample(scenario.vm.address() + 8, scenario.vcpu.address()),
               ErrorKind::corrupt, "there is no vCPU of the VM");
  scenario.vcpu.set("arch.mmu", 0xffff888000123456);
  EXPECT_ERROR(sampler.sample(scenario.vm.address(), scenario.vcpu.address()), ErrorKind::corrupt,
               "arch.mmu");
  scenario.kernel.memory().leave_out(scenario.vcpu.address());
  EXPECT_ERROR(sampler.sample(scenario.vm.address(), scenario.vcpu.address()), ErrorKind::fault,
               "");
}

}  // namespace
}  // namespace kvmscope::kvm
