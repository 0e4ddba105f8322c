// Where every vCPU is, found with as few reads as can be: for sampling.
#pragma once

#include <optional>
#include <vector>

#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

struct VcpuPlace {
  unsigned vm = 0;  // in order of creation
  VirtAddr vm_address;
  VirtAddr address;
};

// One read for the list, and at most two for each VM. None when a VM has more vCPUs than lie in one
// node of its array: Kvm::vcpu_at() finds those. Throws Error{fault}, Error{corrupt}.
std::optional<std::vector<VcpuPlace>> find_vcpu_places(const Kvm& kvm);

}  // namespace kvmscope::kvm
