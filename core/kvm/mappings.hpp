// The SPTEs that map one guest frame, wherever KVM keeps them.
#pragma once

#include <optional>
#include <vector>

#include "core/base/error.hpp"
#include "core/kvm/rmap.hpp"

namespace kvmscope::kvm {

struct Mapping {
  unsigned level = 0;
  Gfn gfn;  // first frame that the SPTE maps
  VirtAddr spte_address;
  bool tdp_mmu = false;            // found in a tree of the TDP MMU: it has no rmaps
  std::optional<SptePlace> place;  // none: lost
  std::optional<Error> lost = {};
};

// Those in the rmaps of `slot`, small pages first, then those below roots of the TDP MMU. Throws
// Error{corrupt}, Error{fault} where a list or a tree breaks off.
std::vector<Mapping> mappings_of(const Kvm& kvm, const Vm& vm, const Memslot& slot, Gfn gfn);

}  // namespace kvmscope::kvm
