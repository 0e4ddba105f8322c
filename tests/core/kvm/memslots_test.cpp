// Memslots: the sorted array of older kernels, the tree of newer ones.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class MemslotsOfEra : public testing::TestWithParam<Era> {
 protected:
  MemslotsOfEra() : kernel_({.era = GetParam()}), vm_(kernel_.add_vm()) {}

  std::vector<Memslot> slots() { return kernel_.kvm().memslots(kernel_.vm()); }
  bool is_tree() { return kernel_.memory().has("kvm_memslots", "gfn_tree"); }

  FakeKernel kernel_;
  FakeVm& vm_;
};

TEST_P(MemslotsOfEra, AreFoundInEveryAddressSpace) {
  vm_.add_slot({.id = 0, .base = 0, .npages = 0xa0, .hva = 0x7f0000000000, .flags = 1});
  vm_.add_slot({.id = 1, .base = 0x100, .npages = 0x8000, .hva = 0x7f1000000000});
  vm_.add_slot({.id = 509, .base = 0xfeffc, .npages = 3, .hva = 0x7f2000000000, .flags = 2});
  vm_.add_slot({.as_id = 1, .id = 0, .base = 0, .npages = 0x10, .hva = 0x7f3000000000});

  std::vector<std::string> found;
  for (const Memslot& slot : slots())
    found.push_back(fmt::format("{}:{} {:#x}+{:#x} {:#x} {}", slot.as_id, slot.id, slot.base.value,
                                slot.npages, slot.hva, slot.flags));

  EXPECT_THAT(found, UnorderedElementsAre(
                         "0:0 0x0+0xa0 0x7f0000000000 1", "0:1 0x100+0x8000 0x7f1000000000 0",
                         "0:509 0xfeffc+0x3 0x7f2000000000 2", "1:0 0x0+0x10 0x7f3000000000 0"));
}

TEST_P(MemslotsOfEra, AreNoneInAVmWithoutMemory) {
  EXPECT_THAT(slots(), IsEmpty());
}

// Until v5.6 slots of no size stand at the end of the array.
TEST_P(MemslotsOfEra, OfNoSizeAreLeftOut) {
  vm_.add_slot({.id = 3, .base = 0x10, .npages = 0});
  vm_.add_slot({.id = 4, .base = 0x20, .npages = 1});
  ASSERT_EQ(slots().size(), 1u);
  EXPECT_EQ(slots()[0].id, 4);
}

TEST_P(MemslotsOfEra, AreNoneOfAnAddressSpaceThatIsNotThere) {
  vm_.set("memslots[1]", 0);
  vm_.add_slot({.id = 4, .base = 0x20, .npages = 1});
  EXPECT_EQ(slots().size(), 1u);
}

TEST_P(MemslotsOfEra, ThatAreMissingAreAFault) {
  vm_.add_slot({.id = 4, .base = 0x20, .npages = 1});
  kernel_.memory().leave_out(vm_.slot_set(0), kernel_.memory().size_of("kvm_memslots") + 200);
  EXPECT_ERROR(slots(), ErrorKind::fault, "no such memory");
}

TEST_P(MemslotsOfEra, ThatCannotBeAreCorrupt) {
  vm_.add_slot({.id = 4, .base = 0x20, .npages = 1});
  FakeMemory& memory = kernel_.memory();
  if (is_tree())
    memory.set(vm_.slot_set(0), "kvm_memslots", "gfn_tree.rb_node", 0x1235);
  else
    memory.set(vm_.slot_set(0), "kvm_memslots", "used_slots", 100'000);
  EXPECT_ERROR(slots(), ErrorKind::corrupt, "reading memslots of VM 0");
}

INSTANTIATE_TEST_SUITE_P(Eras, MemslotsOfEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST(Memslots, OfATreeComeInOrder) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  for (const std::uint64_t base : {0x500, 0x100, 0x300, 0x200, 0x400})
    vm.add_slot({.id = 1, .base = base, .npages = 1});
  std::vector<std::uint64_t> bases;
  for (const Memslot& slot : kernel.kvm().memslots(kernel.vm())) bases.push_back(slot.base.value);
  EXPECT_THAT(bases, ElementsAre(0x100, 0x200, 0x300, 0x400, 0x500));
}

TEST(Memslots, OfATreeWithALoopAreCorrupt) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  vm.add_slot({.id = 1, .base = 1, .npages = 1});
  FakeMemory& memory = kernel.memory();
  const VirtAddr top{memory.get(vm.slot_set(0), "kvm_memslots", "gfn_tree.rb_node")};
  memory.set(top, "rb_node", "rb_left", top.value);
  EXPECT_ERROR(kernel.kvm().memslots(kernel.vm()), ErrorKind::corrupt, "parent");
}

}  // namespace
}  // namespace kvmscope::kvm
