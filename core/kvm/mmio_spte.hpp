// MMIO SPTEs: not-present entries that remember that a guest frame has no memslot, and of which
// generation of memslots that is true (arch/x86/kvm/mmu/spte.h).
#pragma once

#include <cstdint>

#include "core/base/address.hpp"
#include "core/kvm/spte.hpp"

namespace kvmscope::kvm {

class Kvm;
struct Vm;

struct MmioFormat {
  // Two groups of bits hold the generation, the lower one its lower bits.
  std::uint64_t gen_low = 0;
  std::uint64_t gen_high = 0;
  unsigned gen_dropped = 0;       // lowest bits of the generation that are not kept
  std::uint64_t gfn_low = 0;      // shadow_nonpresent_or_rsvd_lower_gfn_mask
  std::uint64_t gfn_shifted = 0;  // shadow_nonpresent_or_rsvd_mask: moved up by 5 bits
  std::uint64_t access = 0;       // shadow_mmio_access_mask

  std::uint64_t generation(std::uint64_t spte) const;
  // What of a memslots generation an SPTE can hold.
  std::uint64_t kept(std::uint64_t memslots_generation) const;
  Gfn gfn(std::uint64_t spte) const;
};

// Throws Error{fault}.
MmioFormat read_mmio_format(const Kernel& kernel, const SpteFormat& format);

// memslots->generation of an address space, as it stands. Throws Error{fault}.
std::uint64_t memslots_generation(const Kvm& kvm, const Vm& vm, unsigned as_id);

}  // namespace kvmscope::kvm
