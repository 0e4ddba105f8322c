// KVM_REQ_*: what a vCPU has been asked to do before it enters the guest again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvmscope::kvm {

// Bits of kvm_vcpu.requests, include/linux/kvm_host.h and arch/x86/include/asm/kvm_host.h.
namespace request {
inline constexpr unsigned mmu_reload = 1;  // until v5.18
inline constexpr unsigned mmu_sync = 11;
inline constexpr unsigned load_mmu_pgd = 13;
inline constexpr unsigned mmu_free_obsolete_roots = 39;  // since v5.18

constexpr bool is_pending(std::uint64_t requests, unsigned bit) {
  return (requests >> bit & 1) != 0;
}
}  // namespace request

// The words of vcpu->requests: "MMU_SYNC", "bit26" for one without a name.
std::vector<std::string> request_names(std::uint64_t requests);

}  // namespace kvmscope::kvm
