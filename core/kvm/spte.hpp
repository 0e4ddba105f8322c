// What a shadow page-table entry means, by this kernel's own masks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.hpp"

namespace kvmscope {
class Kernel;
}

namespace kvmscope::kvm {

enum class SpteKind { nonpresent, table, leaf, mmio, frozen, unknown };

std::string_view name(SpteKind kind);

// The mask variables of arch/x86/kvm/mmu/spte.c: one format for all VMs of a host, but for what
// marks MMIO.
struct SpteFormat {
  std::uint64_t present = 0;
  std::uint64_t user = 0;
  std::uint64_t exec = 0;  // not 0: EPT format
  std::uint64_t nx = 0;
  std::uint64_t accessed = 0;
  std::uint64_t dirty = 0;
  std::uint64_t host_writable = 0;
  std::uint64_t mmu_writable = 0;
  std::uint64_t acc_track = 0;
  std::uint64_t mmio_mask = 0;
  bool mmio_cached = false;      // else there are no MMIO entries
  std::uint64_t mmio_value = 0;  // since v6.10 of most VMs: see kvm->arch.shadow_mmio_value
  std::uint64_t ad_mask = 0;     // the bits that say how accessed and dirty are kept
  std::uint64_t ad_disabled = 0;
  std::uint64_t address = 0;      // where an entry holds a table's or page's address
  std::uint64_t empty = 0;        // what an empty entry holds
  std::uint64_t mmu_present = 0;  // the software bit of v5.13; 0: present by value

  bool ept() const { return exec != 0; }
  bool is_empty(std::uint64_t spte) const { return spte == 0 || spte == empty; }
  bool is_mmio(std::uint64_t spte) const { return mmio_cached && (spte & mmio_mask) == mmio_value; }
  // is_shadow_present_pte()
  bool is_present(std::uint64_t spte) const {
    return mmu_present != 0 ? (spte & mmu_present) != 0 : spte != 0 && !is_mmio(spte);
  }
  // Bit 7 in all formats, meaningful at levels 2 and 3.
  static bool is_huge(std::uint64_t spte) { return (spte & 0x80) != 0; }
  bool is_leaf(std::uint64_t spte, unsigned level) const { return level == 1 || is_huge(spte); }
  PhysAddr target(std::uint64_t spte) const { return {spte & address}; }
  SpteKind kind(std::uint64_t spte, unsigned level) const;

  bool readable(std::uint64_t spte) const;
  bool writable(std::uint64_t spte) const { return (spte & 2) != 0; }
  bool executable(std::uint64_t spte) const;
  bool user_accessible(std::uint64_t spte) const;
  bool ad_enabled(std::uint64_t spte) const {
    return ad_mask == 0 || (spte & ad_mask) != ad_disabled;
  }
  bool access_tracked(std::uint64_t spte) const;

  // "rwxu A- HM" in words: r w x u accessed dirty ad_disabled host_writable mmu_writable
  // access_tracked huge.
  std::vector<std::string> flags(std::uint64_t spte, unsigned level) const;
};

// Reads the variables from kvm.ko. Throws Error{corrupt} when one that every kernel has is missing.
// `empty` is set by the caller, who can find a vCPU's cache.
SpteFormat read_spte_format(const Kernel& kernel);

}  // namespace kvmscope::kvm
