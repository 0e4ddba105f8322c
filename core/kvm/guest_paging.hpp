// Guest virtual addresses: a vCPU's paging mode, and a walk of the guest's own page tables as the
// CPU would do it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kvm/kvm.hpp"
#include "core/paging/walk.hpp"

namespace kvmscope::kvm {

struct ControlRegisters {
  std::uint64_t cr0 = 0;
  std::uint64_t cr3 = 0;
  std::uint64_t cr4 = 0;
  std::uint64_t efer = 0;
};
// As KVM caches them.
ControlRegisters control_registers(const Kvm& kvm, const Vcpu& vcpu);

// "none", "32-bit", "pae", "4-level", "5-level": by CR0.PG, EFER.LMA, CR4.PAE and CR4.LA57.
std::string_view paging_name(const ControlRegisters& registers);

// Which bits of a guest's entries are reserved: by bit 7 of the entry, then by level from 1
// (struct rsvd_bits_validate, asm/kvm_host.h). KVM works it out from the vCPU's registers and
// CPUID.
using ReservedBits = std::array<std::array<std::uint64_t, max_paging_levels>, 2>;

// Memslot address space that a vCPU runs in: 1 in system management mode. Throws Error{fault}.
unsigned memslot_space(const Kvm& kvm, const Vcpu& vcpu);

struct GuestPaging {
  ControlRegisters registers;
  bool enabled = false;  // else guest virtual addresses are physical ones
  PageFormat format;     // with the reserved bits of this vCPU
  GuestPhysAddr root;
  // PDPTE registers, which a CPU loads with CR3 in PAE mode; none: as in memory.
  std::optional<std::array<std::uint64_t, 4>> pdptrs;
  unsigned as_id = 0;  // memslot address space that the vCPU runs in
};
// `reserved`: none where KVM's are not known; those of the architecture hold then.
GuestPaging guest_paging(const ControlRegisters& registers,
                         const std::optional<ReservedBits>& reserved);
// Of a vCPU; `cr3`: another address space than its current one. Throws Error{fault}, and
// Error{usage} while a nested guest with page tables of its own below it runs.
GuestPaging guest_paging(const Kvm& kvm, const Vcpu& vcpu, std::optional<std::uint64_t> cr3);

enum class GuestState { mapped, nonpresent, reserved, noncanonical, lost };
std::string_view name(GuestState state);

struct GuestWalk {
  std::vector<WalkStep<GuestPhysAddr>> steps;
  GuestState state = GuestState::lost;
  std::optional<GuestPhysAddr> gpa;  // mapped
  std::uint64_t page_bytes = 0;      // mapped, with paging
  std::string access;                // mapped: "rwxu", what all levels allow together
  std::string fault;                 // why a guest's access would fault: level, entry and bits
  std::optional<Error> lost;
};
// Never throws Error{fault}: what cannot be read is `lost`.
GuestWalk walk_guest(const Reader<GuestPhysAddr>& memory, const GuestPaging& paging,
                     std::uint64_t gva);

}  // namespace kvmscope::kvm
