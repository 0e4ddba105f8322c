// What the walks share about tables, the special ones (pae_root, pml4_root, pml5_root), which have
// no shadow page, included.
#pragma once

#include <cstdint>

#include "core/base/error.hpp"
#include "core/kvm/kvm.hpp"
#include "core/kvm/walk.hpp"
#include "core/memory/reader.hpp"

namespace kvmscope::kvm {

inline constexpr unsigned entries_per_table = 512;
inline constexpr unsigned pae_level = 3;
inline constexpr unsigned pae_entries = 4;

constexpr unsigned entries_of(unsigned level, bool special) {
  return special && level == pae_level ? pae_entries : entries_per_table;
}

// What an entry of a special table is.
constexpr SpteKind special_kind(std::uint64_t entry) {
  // Empty is 0, or ~0 until v5.11.
  return (entry & 1) != 0 && entry != ~0ULL ? SpteKind::table : SpteKind::nonpresent;
}

// pml5_root leads to pml4_root, that to pae_root, and only that to shadow pages.
constexpr bool special_below(bool special, unsigned level) {
  return special && level > pae_level;
}

// The table that a walk starts in. The rest of a PAE table is no table: its entries are taken as
// empty. Throws Error{fault}.
Table top_table(const Kvm& kvm, const TreeStart& start);

Error met_again(PhysAddr table);

// Guest virtual addresses are shown canonical, as the guest writes them.
std::uint64_t canonical(const TreeStart& start, std::uint64_t address);

}  // namespace kvmscope::kvm
