// vcpus, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Vcpus, ShowsATable) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "vcpus");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.text,
            scenario.named("VM  VCPU  KVM_VCPU            TID  CPU  ST  MP_STATE  PAGING   MMU     "
                           "  CR3       REQUESTS  STALE\n"
                           " 0     0  {vcpu}  100    -  S   runnable  4-level  "
                           "root_mmu  0x11e000  -         -\n"));
}

TEST(Vcpus, HasTheSameKeysAsData) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "vcpus 0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, json::parse(scenario.named(R"([{
      "vm": 0, "vcpu": 0, "idx": 0, "kvm_vcpu": "{vcpu}", "tid": 100, "cpu": null, "state": "S",
      "mode": "OUTSIDE_GUEST_MODE", "mp_state": "runnable", "requests": [], "mmu": "root_mmu",
      "paging": "4-level", "cr0": "0x80050033", "cr3": "0x11e000", "cr4": "0x6f0",
      "efer": "0xd01", "stale": []}])")));
}

TEST(Vcpus, DifferInIdAndPlace) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  for (const std::uint64_t id : {0, 2, 8}) vm.add_vcpu(id);
  const FakeOutcome outcome = run(kernel, "vcpus");
  EXPECT_EQ(outcome.column("vcpu"), json::array({0, 2, 8}));
  EXPECT_EQ(outcome.column("idx"), json::array({0, 1, 2}));
  EXPECT_EQ(outcome.column("tid"), json::array({100, 102, 108}));
}

TEST(Vcpus, NameTheGuestsPaging) {
  const auto paging = [](std::uint64_t cr0, std::uint64_t cr4, std::uint64_t efer) {
    FakeKernel kernel;
    FakeVcpu& vcpu = kernel.add_vm().add_vcpu(0);
    vcpu.set("arch.cr0", cr0);
    vcpu.set("arch.cr4", cr4);
    vcpu.set("arch.efer", efer);
    return run(kernel, "vcpus").records[0]["paging"];
  };
  EXPECT_EQ(paging(0x10, 0, 0), "none");
  EXPECT_EQ(paging(0x80000011, 0, 0), "32-bit");
  EXPECT_EQ(paging(0x80000011, 0x20, 0), "pae");
  EXPECT_EQ(paging(0x80000011, 0x20, 0xd00), "4-level");
  EXPECT_EQ(paging(0x80000011, 0x1020, 0xd00), "5-level");
}

TEST(Vcpus, TranslateTheirStates) {
  FakeKernel kernel;
  FakeVcpu& vcpu = kernel.add_vm().add_vcpu(0);
  vcpu.set("cpu", 3);
  vcpu.set("mode", 1);
  vcpu.set("arch.mp_state", 3);
  vcpu.set("requests", 1ULL << 11 | 1ULL << 13 | 1ULL << 60);
  vcpu.set("arch.regs_avail", 0xffffffff & ~(1U << 19));
  vcpu.enter_nested_guest();
  const json record = run(kernel, "vcpus").records[0];
  EXPECT_EQ(record["cpu"], 3);
  EXPECT_EQ(record["mode"], "IN_GUEST_MODE");
  EXPECT_EQ(record["mp_state"], "halted");
  EXPECT_EQ(record["requests"], json::array({"MMU_SYNC", "LOAD_MMU_PGD", "bit60"}));
  EXPECT_EQ(record["stale"], json::array({"cr3"}));
  EXPECT_EQ(record["mmu"], "guest_mmu");
}

TEST(Vcpus, ShowStatesThatNobodyKnowsAsNumbers) {
  FakeKernel kernel;
  FakeVcpu& vcpu = kernel.add_vm().add_vcpu(0);
  vcpu.set("mode", 77);
  vcpu.set("arch.mp_state", 99);
  const json record = run(kernel, "vcpus").records[0];
  EXPECT_EQ(record["mode"], "77");
  EXPECT_EQ(record["mp_state"], "99");
}

TEST(Vcpus, HaveNoThreadBeforeTheyRun) {
  FakeKernel kernel;
  kernel.add_vm().add_vcpu(0).set("pid", 0);
  const FakeOutcome outcome = run(kernel, "vcpus");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.column("tid"), json::array({nullptr}));
  EXPECT_EQ(outcome.column("state"), json::array({nullptr}));
}

TEST(Vcpus, AreListedBesideOneThatIsMissing) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  vm.add_vcpu(0);
  const FakeVcpu& lost = vm.add_vcpu(1);
  vm.add_vcpu(2);
  kernel.memory().leave_out(lost.address());
  const FakeOutcome outcome = run(kernel, "vcpus");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.column("vcpu"), json::array({0, 2}));
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("vCPU 1 of VM 0 is incomplete")));
}

TEST(Vcpus, KeepTheirRowWhenTheThreadIsMissing) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  kernel.memory().leave_out(vm.add_vcpu(0).task(), 64);
  const FakeOutcome outcome = run(kernel, "vcpus");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.column("tid"), json::array({100}));
  EXPECT_TRUE(outcome.records[0]["state"].contains("lost"));
}

TEST(Vcpus, OfAnImpossibleNumberAreCorrupt) {
  FakeKernel kernel;
  kernel.add_vm().set("online_vcpus.counter", 0xffffffff);
  const FakeOutcome outcome = run(kernel, "vcpus");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("the vCPUs of VM 0 are left out")));
}

}  // namespace
}  // namespace kvmscope
