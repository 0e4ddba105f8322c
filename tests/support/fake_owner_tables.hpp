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
  }

  VirtAddr table() const { return table_; }  // the lowest
  void put(unsigned index, std::uint64_t entry) { memory_.poke(table_ + 8ULL * index, entry); }

 private:
  FakeMemory& memory_;
  VirtAddr table_;
};

}  // namespace kvmscope
