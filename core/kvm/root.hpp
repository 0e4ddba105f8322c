// Roots: where a vCPU's page-table trees start, valid or not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.hpp"
#include "core/base/error.hpp"
#include "core/kvm/shadow_page.hpp"

namespace kvmscope::kvm {

enum class MmuKind { root_mmu, guest_mmu };

// One slot of a struct kvm_mmu: its current root, a previous one, or one of the
// four entries of a PAE table.
struct Root {
  unsigned vm = 0;
  std::uint64_t vcpu = 0;  // vcpu_id
  MmuKind mmu = MmuKind::root_mmu;
  bool is_active_mmu = true;     // arch.mmu points to its mmu
  std::optional<unsigned> prev;  // prev_roots[…]; none: the current root
  std::optional<unsigned> pae;   // an entry of its PAE table

  bool valid = false;
  std::optional<std::uint64_t> pgd;  // as stored: stale when not valid; none: not kept (4.19)
  PhysAddr hpa;                      // of the table, when valid
  unsigned level = 0;                // levels below and including the table, when valid
  bool direct = false;   // no guest page table behind it: it maps guest physical addresses
  bool special = false;  // a table with no shadow page: pae_root, pml4_root, pml5_root
  std::optional<ShadowPage> page;  // none: special, a dummy root, or not valid
  std::optional<Error> lost;       // why what is behind the slot could not be read

  // "0.3", "0.3.prev1", "1.0.guest_mmu", "2.0.pae3"
  std::string name() const;
  // "current", "prev0", "current.pae2"
  std::string slot() const;
};

// The words of a ROOT as users write it, checked for form only.
struct RootName {
  std::string vm;  // an index or an id: what stands before the first dot
  std::uint64_t vcpu = 0;
  std::optional<MmuKind> mmu;
  std::optional<unsigned> prev;
  std::optional<unsigned> pae;
};

// None when `text` is not of the form VM.VCPU[.root_mmu|.guest_mmu][.prevN][.paeN].
std::optional<RootName> parse_root_name(std::string_view text);

std::string_view name(MmuKind kind);

}  // namespace kvmscope::kvm
