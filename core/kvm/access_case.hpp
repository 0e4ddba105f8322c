// What the evidence for a verdict on an access is looked for in.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/error.hpp"
#include "core/kernel/vmas.hpp"
#include "core/kvm/access_verdict.hpp"
#include "core/kvm/mmio_spte.hpp"

namespace kvmscope::kvm {

struct MmioSpte {
  std::uint64_t spte;
  VirtAddr address;
};

// What the owner has mapped at a user address; `vma` is empty where it has nothing there.
struct OwnerMapping {
  std::optional<Vma> vma;
  std::optional<Error> lost;  // its mappings cannot be read
};

// Throws as what it reads does. What takes a walk is looked for when it is first asked for, once.
class AccessCase {
 public:
  AccessCase(const Kvm& of_kvm, const Vm& of_vm, const Access& of_access)
      : kvm(of_kvm), vm(of_vm), access(of_access) {}

  const Kvm& kvm;
  const Vm& vm;
  const Access& access;

  bool slot_has(std::uint64_t flag) const;
  bool host_is(HostState state) const;
  // The first entry of a kind on the way from the direct root.
  const Entry* step(SpteKind kind) const;
  // The MMIO SPTE for the address in the vCPU's current tree; none: there is none.
  const std::optional<MmioSpte>& mmio_spte(const MmioFormat& format) const;
  const OwnerMapping& owner_mapping() const;
  // A leaf that maps the address; nullptr: none.
  const Mapping* mapping() const;
  // One that allows writes.
  const Mapping* writable() const;
  // Whether there are leaves, and all have some bit of the mask.
  bool all_have(std::uint64_t mask) const;
  // Whether there are leaves, and only dirty logging can have taken the right to write from all.
  bool only_logged() const;
  PhysAddr target(const Mapping& one) const;

 private:
  mutable std::optional<std::optional<MmioSpte>> mmio_;
  mutable std::optional<OwnerMapping> owner_;
};

}  // namespace kvmscope::kvm
