// Why a guest's access to an address does not get through, by what the page tables, the memslot
// and the host say at this moment.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kvm/host_walk.hpp"
#include "core/kvm/mappings.hpp"
#include "core/kvm/walk.hpp"

namespace kvmscope::kvm {

// An MMU notifier at work: faults on what it covers are retried until it has ended
// (mmu_invalidate_retry_gfn() and _hva(), include/linux/kvm_host.h).
struct Invalidation {
  std::uint64_t sequence = 0;
  std::uint64_t in_progress = 0;
  // User addresses, gfns since v6.9; none: this kernel does not say what is covered.
  std::optional<std::uint64_t> start = {};
  std::optional<std::uint64_t> end = {};  // exclusive
};
Invalidation invalidation(const Kvm& kvm, const Vm& vm);

struct Access {
  GuestPhysAddr gpa;
  unsigned as_id = 0;             // memslot address space that the vCPU runs in
  const Memslot* slot = nullptr;  // nullptr: none holds it
  std::uint64_t hva = 0;
  Invalidation invalidation;
  const HostWalk* host = nullptr;                     // nullptr: not known
  const std::vector<Mapping>* sptes = nullptr;        // nullptr: not known
  const std::vector<PathStep>* root_steps = nullptr;  // of a direct root; nullptr: not known
  const TreeStart* virtual_root = nullptr;            // that has guest virtual addresses instead
};

struct Verdict {
  std::string_view name;  // one of verdict_names()
  std::string text;       // one line that names the evidence
};
// The first that holds, in the order in which a fault handler would ask. Throws Error{fault} where
// memory that decides is missing.
Verdict verdict_of(const Kvm& kvm, const Vm& vm, const Access& access);

// "no_memslot", "dirty_logging", "host_absent"…, each with what it means.
struct VerdictName {
  std::string_view name;
  std::string_view meaning;
};
std::vector<VerdictName> verdict_names();

}  // namespace kvmscope::kvm
