// Reverse maps: which SPTEs map a guest frame, and which point to a shadow page
// (struct kvm_rmap_head, arch/x86/kvm/mmu/mmu.c).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/base/error.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

// What a kvm_rmap_head holds: nothing, one SPTE, or a chain of struct pte_list_desc.
struct PteListSize {
  std::uint64_t entries = 0;
  std::uint64_t descriptors = 0;
};

// Calls `visit` with the address of each SPTE that `head`, a kvm_rmap_head.val, leads to, in the
// order of the chain; an empty one only counts them. Throws Error{corrupt} for a chain that does
// not end or a chunk with more entries than it has room for, Error{fault}.
PteListSize walk_pte_list(const Kvm& kvm, std::uint64_t head,
                          const std::function<void(VirtAddr spte)>& visit);

// The arrays of a memslot, of one level each.
struct MemslotArrays {
  static constexpr unsigned deepest = 3;           // KVM_NR_PAGE_SIZES
  std::array<VirtAddr, deepest + 1> rmap{};        // index: level, from 1; 0: none
  std::array<VirtAddr, deepest + 1> lpage_info{};  // index: level, from 2; 0: none
  std::uint64_t gfn_tracks = 0;                    // arrays of 16-bit counts, one for each page
};
// Throws Error{corrupt} when they belong to another slot by now.
MemslotArrays memslot_arrays(const Kvm& kvm, const Memslot& slot);

// Where a frame stands in the arrays of `level`, and how many elements those have.
constexpr std::uint64_t slot_index(const Memslot& slot, Gfn gfn, unsigned level) {
  const unsigned shift = 9 * (level - 1);
  return (gfn.value >> shift) - (slot.base.value >> shift);
}
constexpr std::uint64_t slot_elements(const Memslot& slot, unsigned level) {
  return slot.npages == 0 ? 0 : slot_index(slot, slot.base + (slot.npages - 1), level) + 1;
}
constexpr bool holds(const Memslot& slot, Gfn gfn) {
  return gfn >= slot.base && gfn - slot.base < slot.npages;
}

// One element of slot->arch.rmap[level - 1].
struct RmapHead {
  unsigned as_id = 0;
  unsigned level = 0;
  Gfn gfn;           // first frame that its SPTEs map
  VirtAddr address;  // struct kvm_rmap_head
};
// Those for `gfn`, of level 1 up; none where there are no rmaps.
std::vector<RmapHead> rmap_heads(const Memslot& slot, const MemslotArrays& arrays, Gfn gfn);
// Its value, without KVM_RMAP_LOCKED. Throws Error{fault}.
std::uint64_t rmap_value(const Kvm& kvm, const RmapHead& head);

// Calls `visit` for each element that is not empty, level 1 first, with its value when it was
// looked at: while the kernel runs it has to be read again. `lost` is told of what cannot be read.
void each_rmap_head(const Kvm& kvm, const Memslot& slot, const MemslotArrays& arrays,
                    const std::function<void(const RmapHead&, std::uint64_t value)>& visit,
                    const std::function<void(const Error&)>& lost);

// Where an SPTE stands.
struct SptePlace {
  ShadowPage page;  // whose table it is in
  unsigned index = 0;
  std::uint64_t spte = 0;
};
// Throws Error{corrupt} when no shadow page has a table there, Error{fault}.
SptePlace spte_place(const Kvm& kvm, VirtAddr spte_address);

// Whether the guest's own tables allowed writes when the SPTE was made (kvm_mmu_page_get_access());
// none: KVM has not kept that (since v6.0 it does). Throws Error{fault}.
std::optional<bool> guest_allowed_writes(const Kvm& kvm, const SptePlace& place);

// The SPTEs that point to a page: parent_ptes, or ptep of a TDP MMU page. Entries of special tables
// (pae_root and the like) are kept nowhere. Throws as walk_pte_list() does.
PteListSize each_parent_spte(const Kvm& kvm, const ShadowPage& page,
                             const std::function<void(VirtAddr spte)>& visit);

}  // namespace kvmscope::kvm
