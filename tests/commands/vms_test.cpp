// vms, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Vms, ShowsATable) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "vms");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.text,
            scenario.named("VM  ID    KVM                 PID  COMM  VCPUS  SLOTS  MMU     PAGES  "
                           "MAX  TDP ROOTS  SEQ\n"
                           " 0  95-4  {vm}   95  qemu      1      2  shadow      9  "
                           "327          0    0\n"));
  EXPECT_THAT(outcome.notes, IsEmpty());
}

TEST(Vms, HasTheSameKeysAsData) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "vms");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, json::parse(scenario.named(R"([{
      "vm": 0, "id": "95-4", "kvm": "{vm}", "pid": 95, "userspace_pid": 95, "comm": "qemu",
      "cgroup": "/vms/one", "vcpus": 1, "slots": 2, "mmu_mode": "shadow", "mmu_pages_used": 9,
      "mmu_pages_max": 327, "active_pages": 9, "tdp_roots": 0, "mmu_valid_gen": 0,
      "invalidate_seq": 0, "invalidate_in_progress": 0}])")));
}

TEST(Vms, CountsFromTheOldest) {
  FakeKernel kernel;
  kernel.add_vm({.pid = 10, .fd = 1});
  kernel.add_vm({.pid = 20, .fd = 2});
  const FakeOutcome outcome = run(kernel, "vms");
  EXPECT_EQ(outcome.column("vm"), json::array({0, 1}));
  EXPECT_EQ(outcome.column("id"), json::array({"10-1", "20-2"}));
}

TEST(Vms, SaysThatThereIsNone) {
  FakeKernel kernel;
  const FakeOutcome outcome = run(kernel, "vms");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, json::array());
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("no VM is running")));
}

TEST(Vms, NamesEachMmuMode) {
  const auto mode = [](bool tdp, bool tdp_mmu) {
    FakeKernel kernel({.tdp_enabled = tdp, .tdp_mmu = tdp_mmu});
    kernel.add_vm();
    return run(kernel, "vms").column("mmu_mode");
  };
  EXPECT_EQ(mode(false, false), json::array({"shadow"}));
  EXPECT_EQ(mode(true, false), json::array({"tdp"}));
  EXPECT_EQ(mode(true, true), json::array({"tdp_mmu"}));
}

TEST(Vms, HasNullsForAnOwnerThatIsGone) {
  FakeKernel kernel;
  kernel.add_vm({.alive = false, .has_name = false});
  const FakeOutcome outcome = run(kernel, "vms");
  EXPECT_EQ(outcome.status, 0);
  for (const char* key : {"id", "pid", "comm", "cgroup"})
    EXPECT_EQ(outcome.column(key), json::array({nullptr})) << key;
  EXPECT_EQ(outcome.column("userspace_pid"), json::array({95}));
}

TEST(Vms, ListsTheOthersWhenOneIsNotInTheDump) {
  FakeKernel kernel;
  kernel.add_vm({.pid = 10});
  const FakeVm& lost = kernel.add_vm({.pid = 20});
  kernel.add_vm({.pid = 30});
  kernel.memory().leave_out(kernel.memory().member(lost.address(), "kvm", "mm"), 8);
  const FakeOutcome outcome = run(kernel, "vms");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.column("vm"), json::array({0, 2}));  // its number is not given to another
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("VM 1 is left out")));
}

TEST(Vms, KeepsTheRowOfAVmWithLostValues) {
  FakeScenario scenario;
  FakeMemory& memory = scenario.kernel.memory();
  memory.leave_out({memory.get(scenario.vm.address(), "kvm", "mm")}, 64);
  memory.leave_out(scenario.root.address, 16);
  const FakeOutcome outcome = run(scenario.kernel, "vms");
  EXPECT_EQ(outcome.status, 4);
  ASSERT_EQ(outcome.records.size(), 1u);
  for (const char* key : {"pid", "comm", "cgroup", "active_pages"})
    EXPECT_TRUE(outcome.records[0][key].contains("lost")) << key;
  EXPECT_EQ(outcome.records[0]["vcpus"], 1);
}

TEST(Vms, ReportsAListThatIsCorrupt) {
  FakeKernel kernel;
  kernel.add_vm();
  kernel.memory().poke(kernel.vm_list() + 8, 0xffff888000005000);
  const FakeOutcome outcome = run(kernel, "vms");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("VMs may be missing")));
}

TEST(Vms, SaysThatKvmIsNotLoaded) {
  FakeKernel kernel;
  kernel.remove_variable("vm_list");
  const FakeOutcome outcome = run(kernel, "vms");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("kvm is not loaded")));
}

}  // namespace
}  // namespace kvmscope
