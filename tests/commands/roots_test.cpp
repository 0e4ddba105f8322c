// roots, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Roots, ShowsATable) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "roots 0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(
      outcome.text,
      scenario.named("ROOT       PGD       HPA        SP                  L  REFS  KIDS  STATE\n"
                     "0.0        0x11e000  {current.hpa}  {current}  4     1     0  = cr3\n"
                     "0.0.prev0  0x10f000  {root.hpa}  {root}  4     1     2\n"
                     "0.0.prev1  -         -          -                   -     -     -  "
                     "empty (last pgd 0x100000)\n"
                     "0.0.prev2  -         -          -                   -     -     -  "
                     "empty (last pgd 0x0)\n"));
}

TEST(Roots, HasTheSameKeysAsData) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "roots");
  EXPECT_EQ(outcome.status, 0);
  ASSERT_EQ(outcome.records.size(), 4u);
  EXPECT_EQ(outcome.records[1], json::parse(scenario.named(R"({
      "vm": 0, "vcpu": 0, "mmu": "root_mmu", "slot": "prev0", "name": "0.0.prev0", "valid": true,
      "pgd": "0x10f000", "hpa": "{root.hpa}", "sp": "{root}", "level": 4, "gfn": "0x10f",
      "root_count": 1, "unsync_children": 2, "role_text": "8-byte q0 wux nxe ad",
      "last_pgd": null})")));
  EXPECT_EQ(outcome.records[2], json::parse(R"({
      "vm": 0, "vcpu": 0, "mmu": "root_mmu", "slot": "prev1", "name": "0.0.prev1", "valid": false,
      "pgd": null, "hpa": null, "sp": null, "level": null, "gfn": null, "root_count": null,
      "unsync_children": null, "role_text": null, "last_pgd": "0x100000"})"));
}

class RootsInEveryEra : public testing::TestWithParam<Era> {};

TEST_P(RootsInEveryEra, FindsTheRootWhicheverWayTheKernelSpellsIt) {
  FakeScenario scenario({.era = GetParam()});
  const FakeOutcome outcome = run(scenario.kernel, "roots");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records[0]["sp"], hex(scenario.current.address));
  // v4.19 does not keep the pgd of a current root.
  EXPECT_EQ(outcome.records[0]["pgd"], GetParam() == Era::v4_19 ? json(nullptr) : json("0x11e000"));
  EXPECT_EQ(outcome.records[1]["pgd"], "0x10f000");
}

INSTANTIATE_TEST_SUITE_P(Eras, RootsInEveryEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

std::string state_of_first(FakeKernel& kernel) {
  const FakeOutcome outcome = run_text(kernel, "roots --no-header");
  const std::string line = outcome.text.substr(0, outcome.text.find('\n'));
  return line.substr(line.find_last_of("0123456789-") + 1);
}

TEST(Roots, SayWhatIsSpecialAboutThem) {
  FakeKernel direct;
  FakeVm& vm = direct.add_vm();
  vm.add_vcpu(0).run_on(vm.add_page({.level = 4, .direct = true}), 0);
  EXPECT_THAT(state_of_first(direct), HasSubstr("direct"));

  FakeKernel invalid;
  FakeVm& other = invalid.add_vm();
  other.add_vcpu(0).run_on(other.add_page({.level = 4, .invalid = true}), 0x1000);
  EXPECT_THAT(state_of_first(invalid), HasSubstr("invalid"));

  FakeKernel dummy;
  const VirtAddr zero = dummy.memory().allocate_page();
  dummy.add_vm().add_vcpu(0).run_on_table(FakeMemory::phys(zero), 0x7000, 4);
  EXPECT_THAT(state_of_first(dummy), HasSubstr("no shadow page"));
}

TEST(Roots, IncludeTheEntriesOfAPaeTable) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  const FakePage page = vm.add_page({.level = 2, .gfn = 0x33});
  vm.add_vcpu(0).run_on_pae({page, {}, {}, {}}, 0x5000);
  const FakeOutcome outcome = run(kernel, "roots");
  EXPECT_EQ(outcome.column("slot"),
            json::array({"current", "current.pae0", "current.pae1", "current.pae2", "current.pae3",
                         "prev0", "prev1", "prev2"}));
  EXPECT_EQ(outcome.records[0]["sp"], nullptr);
  EXPECT_EQ(outcome.records[0]["level"], 3);
  EXPECT_EQ(outcome.records[1]["gfn"], "0x33");
  EXPECT_EQ(outcome.records[2]["valid"], false);
  EXPECT_THAT(run_text(kernel, "roots").text, HasSubstr("PAE table"));
}

TEST(Roots, KeepTheOtherSlotsWhenOnePageIsMissing) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.root.address, 64);
  const FakeOutcome outcome = run(scenario.kernel, "roots");
  EXPECT_EQ(outcome.status, 4);
  ASSERT_EQ(outcome.records.size(), 4u);
  EXPECT_EQ(outcome.records[0]["gfn"], "0x11e");
  EXPECT_EQ(outcome.records[1]["hpa"], hex(scenario.root.hpa()));
  EXPECT_TRUE(outcome.records[1]["gfn"].contains("lost"));
}

TEST(Roots, OfACorruptPageAreLost) {
  FakeScenario scenario;
  scenario.kernel.memory().set(scenario.root.address, "kvm_mmu_page", "role.level", 9);
  const FakeOutcome outcome = run(scenario.kernel, "roots");
  EXPECT_THAT(outcome.status, testing::AnyOf(4, 5));
  EXPECT_TRUE(outcome.records[1]["gfn"].contains("lost"));
}

TEST(Roots, OfAVmThatIsNotThereAreAUsageError) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "roots 7");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.text, IsEmpty());
  EXPECT_THAT(outcome.notes, testing::Contains(HasSubstr("no VM '7'")));
}

}  // namespace
}  // namespace kvmscope
