// A VM's memory as its guest addresses it: memslot, owner's page tables, host memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/kvm/host_walk.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

// Why the guest's memory cannot be read by anybody but the guest: "an SEV VM: …"; none: it can.
// Throws Error{fault}.
std::optional<std::string> confidential(const Kvm& kvm, const Vm& vm);

// Where a guest physical address lies.
struct GuestPlace {
  const Memslot* slot = nullptr;  // nullptr: in none, as a device's registers are
  std::uint64_t hva = 0;
};

class GuestMemory : public Reader<GuestPhysAddr> {
 public:
  // `as_id`: memslot address space, 1 in system management mode. Keeps the references. Throws
  // Error{corrupt}, Error{fault} where memslots cannot be read.
  GuestMemory(const Kvm& kvm, const Vm& vm, unsigned as_id);

  GuestPlace place(GuestPhysAddr at) const;
  // Throws Error{fault} that says why there is nothing to read: no memslot, no page in the host,
  // swapped out, confidential, left out of the dump.
  void read(GuestPhysAddr at, MutableBytes into) const override;

 private:
  PhysAddr page_of(GuestPhysAddr page) const;

  const Kvm& kvm_;
  const Vm& vm_;
  std::vector<Memslot> slots_;  // of the address space
  std::optional<std::string> confidential_;
  mutable std::map<GuestPhysAddr, PhysAddr> pages_;
};

}  // namespace kvmscope::kvm
