// How large the pages are that a guest's memory is mapped with, in KVM and in the host, and what
// keeps them from being larger.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

// Why KVM does not map a frame with pages of the next size, in the order in which it asks
// (kvm_mmu_hugepage_adjust() and kvm_alloc_memslot_metadata(), arch/x86/kvm).
enum class SizeLimit {
  none,            // they cannot be larger, or nothing is mapped
  slot_edge,       // the larger page would leave the memslot
  misaligned,      // guest and host addresses differ modulo its size
  dirty_log,       // the memslot's writes are logged page by page
  nx_huge_page,    // NX huge page mitigation: the guest executes there
  disallow_lpage,  // kvm_lpage_info counts shadowed page tables, write-tracking or mixed attributes
  host_page,       // the host's own page is not larger
  guest_page,      // the guest's page tables map no larger page, which KVM shadows
  not_rebuilt,     // nothing in the way any more: it was built before
  unknown,         // what would tell could not be read
};
std::string_view name(SizeLimit limit);
// One line on what it means.
std::string_view meaning(SizeLimit limit);

// Frames [first, end) that have everything here in common.
struct SizeRange {
  Gfn first;
  Gfn end;
  std::optional<unsigned> kvm_level = 0;        // of the largest SPTE that maps them; 0: none
  std::optional<std::uint64_t> host_bytes = 0;  // size of the owner's pages; 0: none
  SizeLimit limit = SizeLimit::none;
  bool operator==(const SizeRange&) const = default;
};

// Calls `visit` for the ranges of a memslot in order, merged where they can be: of the tree that
// the TDP MMU has for its address space, else of its rmaps. `lost` is told of what cannot be read;
// a size that is not known for that is none. Throws Error{corrupt} for a memslot that makes no
// sense, Error{fault}.
void each_size_range(const Kvm& kvm, const Vm& vm, const Memslot& slot,
                     const std::function<void(const SizeRange&)>& visit,
                     const std::function<void(const Error&)>& lost);

}  // namespace kvmscope::kvm
