// Page tables of the process that owns a VM of a fake kernel.
#pragma once

#include "tests/support/fake_kernel.hpp"

namespace kvmscope {

// What makes an entry one that the CPU follows, or maps a page by.
inline constexpr std::uint64_t owner_table_bits = 0x67;
inline constexpr std::uint64_t owner_page_bits = 0x8000000000000067;
inline constexpr std::uint64_t owner_huge_bits = 0x80000000000000e7;

class FakeOwnerTables {
 public:
  // Four levels on the way to `hva`, down to an empty table of `level`.
  FakeOwnerTables(FakeKernel& kernel, const FakeVm& vm, std::uint64_t hva, unsigned level = 1)
      : memory_(kernel.memory()), table_(memory_.allocate_page()) {
    memory_.set({memory_.get(vm.address(), "kvm", "mm")}, "mm_struct", "pgd", table_.value);
    for (unsigned above = 4; above > level; --above) {
      const VirtAddr next = memory_.allocate_page();
      memory_.poke(table_ + 8 * (hva >> (12 + 9 * (above - 1)) & 511),
                   FakeMemory::phys(next).value | owner_table_bits);
      table_ = next;
    }
    vma_ = add_vma(vm, hva, hva + (std::uint64_t{1} << (12 + 9 * level)));
  }

  VirtAddr table() const { return table_; }  // the lowest
  VirtAddr vma() const { return vma_; }      // readable and writable, of all that the table maps
  VirtAddr mm() const { return mm_; }
  void put(unsigned index, std::uint64_t entry) { memory_.poke(table_ + 8ULL * index, entry); }

 private:
  // The only mapping, in the tree that the kernel has.
  VirtAddr add_vma(const FakeVm& vm, std::uint64_t start, std::uint64_t end) {
    mm_ = {memory_.get(vm.address(), "kvm", "mm")};
    const VirtAddr vma = memory_.allocate("vm_area_struct");
    memory_.set(vma, "vm_area_struct", "vm_start", start);
    memory_.set(vma, "vm_area_struct", "vm_end", end);
    memory_.set(vma, "vm_area_struct", "vm_flags", 0x3);
    if (memory_.has("mm_struct", "mm_rb")) {
      const VirtAddr node = memory_.member(vma, "vm_area_struct", "vm_rb");
      memory_.set(mm_, "mm_struct", "mm_rb.rb_node", node.value);
      return vma;
    }
    const VirtAddr leaf = memory_.allocate_page();
    memory_.set(leaf, "maple_node", "mr64.pivot[0]", start - 1);
    memory_.set(leaf, "maple_node", "mr64.slot[1]", vma.value);
    memory_.set(leaf, "maple_node", "mr64.pivot[1]", end - 1);
    memory_.set(mm_, "mm_struct", "mm_mt.ma_root", leaf.value | maple_leaf_root);
    return vma;
  }
  static constexpr std::uint64_t maple_leaf_root =
      1 << 3 | 0x4 | 0x2;  // mte_mk_node(), mte_mk_root()

  FakeMemory& memory_;
  VirtAddr table_;
  VirtAddr mm_;
  VirtAddr vma_;
};

}  // namespace kvmscope
