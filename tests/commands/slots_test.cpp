// slots, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

class SlotsInEveryEra : public testing::TestWithParam<Era> {};

TEST_P(SlotsInEveryEra, ShowATable) {
  FakeScenario scenario({.era = GetParam()});
  const FakeOutcome outcome = run_text(scenario.kernel, "slots --sort id");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.text,
            "VM  AS   ID  BASE GFN  END GFN  PAGES  HVA             FLAGS\n"
            " 0   0    0  0x0       0xa0       160  0x7f0000000000  dirty_log\n"
            " 0   0  508  0xfee00   0xfee01      1  0x7f1000000000  readonly,invalid\n");
}

INSTANTIATE_TEST_SUITE_P(Eras, SlotsInEveryEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST(Slots, HaveTheSameKeysAsData) {
  FakeScenario scenario;
  EXPECT_EQ(run(scenario.kernel, "slots").records, json::parse(R"([
      {"vm": 0, "as_id": 0, "id": 0, "base_gfn": "0x0", "end_gfn": "0xa0", "npages": 160,
       "hva": "0x7f0000000000", "flags": ["dirty_log"]},
      {"vm": 0, "as_id": 0, "id": 508, "base_gfn": "0xfee00", "end_gfn": "0xfee01", "npages": 1,
       "hva": "0x7f1000000000", "flags": ["readonly", "invalid"]}])"));
}

TEST(Slots, ShowFlagsThatNobodyKnows) {
  FakeKernel kernel;
  kernel.add_vm().add_slot({.as_id = 1, .id = 3, .base = 1, .npages = 1, .flags = 1U << 30});
  const FakeOutcome outcome = run(kernel, "slots");
  EXPECT_EQ(outcome.column("flags"), json::array({json::array({"bit30"})}));
  EXPECT_EQ(outcome.column("as_id"), json::array({1}));
}

TEST(Slots, OfTheOtherVmsAreListedWhenOneHasLostIts) {
  FakeKernel kernel;
  FakeVm& lost = kernel.add_vm();
  FakeVm& fine = kernel.add_vm();
  fine.add_slot({.id = 1, .base = 1, .npages = 1});
  kernel.memory().leave_out(lost.slot_set(0), 2000);
  const FakeOutcome outcome = run(kernel, "slots");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.column("vm"), json::array({1}));
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("memslots of VM 0 are left out")));
}

TEST(Slots, OfACorruptTreeAreReported) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  kernel.memory().set(vm.slot_set(0), "kvm_memslots", "gfn_tree.rb_node", 0x1235);
  EXPECT_EQ(run(kernel, "slots").status, 5);
}

}  // namespace
}  // namespace kvmscope
