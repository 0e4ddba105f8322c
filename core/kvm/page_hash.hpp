// The hash of a VM's shadow pages by their gfn, arch.mmu_page_hash.
#pragma once

#include <cstdint>

#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

struct PageHash {
  VirtAddr heads;  // of struct hlist_head; 0: there is none yet
  std::uint64_t buckets = 0;
  bool outside_vm = false;  // the struct kvm only points to it, since v6.16
};
// Throws Error{fault}.
PageHash page_hash(const Kvm& kvm, const Vm& vm);

}  // namespace kvmscope::kvm
