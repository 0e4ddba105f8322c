// KVM_REQ_*: what a vCPU has been asked to do before it enters the guest again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvmscope::kvm {

// The words of vcpu->requests: "MMU_SYNC", "bit26" for one without a name.
std::vector<std::string> request_names(std::uint64_t requests);

}  // namespace kvmscope::kvm
