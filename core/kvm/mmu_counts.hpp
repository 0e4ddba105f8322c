// What KVM keeps for the page tables of one VM, counted: pages by role, the page hash, memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "core/base/error.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

// Pages that have the same role (its level included) and are of the same MMU.
struct RoleCount {
  Role role;
  bool tdp_mmu = false;
  std::uint64_t pages = 0;
  std::uint64_t unsync = 0;
  std::uint64_t obsolete = 0;  // of an older mmu_valid_gen
  bool operator==(const RoleCount& other) const {
    return role.word == other.role.word && tdp_mmu == other.tdp_mmu && pages == other.pages &&
           unsync == other.unsync && obsolete == other.obsolete;
  }
};

// Of kvm->arch.mmu_page_hash.
struct HashCounts {
  std::uint64_t buckets = 0;
  std::map<std::uint64_t, std::uint64_t> lengths;  // buckets by the number of pages in them
  bool operator==(const HashCounts&) const = default;
};

// Bytes that stand for the page tables. What rounding up in allocators costs is not counted.
struct MmuMemory {
  std::uint64_t shadow_tables = 0;
  std::uint64_t tdp_tables = 0;
  std::uint64_t headers = 0;      // struct kvm_mmu_page
  std::uint64_t gfn_tables = 0;   // shadowed_translation or gfns
  std::uint64_t descriptors = 0;  // struct pte_list_desc of rmaps and parents
  std::uint64_t rmaps = 0;        // slot->arch.rmap
  std::uint64_t lpage_info = 0;
  std::uint64_t gfn_tracks = 0;
  bool operator==(const MmuMemory&) const = default;
};

struct MmuCounts {
  std::map<std::pair<bool, std::uint32_t>, RoleCount> roles;  // by tdp_mmu and role.word
  std::uint64_t unreadable = 0;                               // pages
  HashCounts hash;
  // Zapped, but some vCPU still has them as a root.
  std::uint64_t invalid_roots = 0;
  std::uint64_t invalid_tdp_roots = 0;
  std::uint64_t rmap_entries = 0;  // SPTEs in the rmaps of all memslots
  std::uint64_t rmap_descriptors = 0;
  std::uint64_t parent_descriptors = 0;
  MmuMemory memory;
  // Differs where other pages or rmaps were found, though their number is the same.
  std::uint64_t shape = 0;
  bool operator==(const MmuCounts&) const = default;
};

// Goes through the active pages, the page hash, the trees of the TDP MMU and the rmaps of all
// memslots. `lost` is told of what could not be read, and so is not counted.
MmuCounts count_mmu(const Kvm& kvm, const Vm& vm, const std::function<void(const Error&)>& lost);

}  // namespace kvmscope::kvm
