// Where a VM's owner has a page: its own page tables, walked as the CPU does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "core/kvm/kvm.hpp"
#include "core/paging/walk.hpp"

namespace kvmscope::kvm {

enum class HostState {
  mapped,
  absent,     // nothing was ever there, or it was thrown away
  prot_none,  // resident, but every access faults: PROT_NONE, NUMA balancing
  swapped,    // or under migration, or poisoned: what a non-present entry of its own kind says
  reserved,   // an entry that the CPU refuses
  lost,       // an entry could not be read
};
std::string_view name(HostState state);

struct HostWalk {
  std::vector<WalkStep<PhysAddr>> steps;
  HostState state = HostState::lost;
  std::optional<PhysAddr> hpa;   // mapped or prot_none
  std::uint64_t page_bytes = 0;  // of the page there
  std::optional<Error> lost;
};

// Translates `hva` by vm->mm->pgd. Throws Error{fault} or Error{corrupt} where not even that can be
// read or makes sense.
HostWalk walk_host(const Kvm& kvm, const Vm& vm, std::uint64_t hva);

// Calls `visit` for each page that the owner has in [first, last], in order, with the user address
// and size of the page: of those that are mapped. Reads each table once. `lost` is told of a table
// that cannot be read, and what it would map. Throws as walk_host() does.
void each_host_page(
    const Kvm& kvm, const Vm& vm, std::uint64_t first, std::uint64_t last,
    const std::function<void(std::uint64_t hva, std::uint64_t bytes)>& visit,
    const std::function<void(const Error&, std::uint64_t hva, std::uint64_t bytes)>& lost);

}  // namespace kvmscope::kvm
