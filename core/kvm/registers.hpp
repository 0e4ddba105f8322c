// What is known of a vCPU's registers: KVM's cache in kvm_vcpu_arch, and on AMD the VMCB.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

// The bit of regs_avail that enum kvm_reg (asm/kvm_host.h) calls `enumerator`. Clear: the hardware
// holds a newer value. True for a register that this kernel never caches late.
bool is_available(const Kvm& kvm, const Vcpu& vcpu, std::string_view enumerator);

// "cr0", "cr3", "cr4": those whose cached values may be old.
std::vector<std::string> stale_registers(const Kvm& kvm, const Vcpu& vcpu);

struct Register {
  std::string_view name;
  std::string_view source;  // "cache", "vmcb"
  std::uint64_t value = 0;
  std::string stale;        // why the value may be old; empty: it is not
  std::string_view remark;  // what the value is where it is not simply the guest's own
};
// The cache first. Throws Error{fault} for a vCPU whose VMCB is not there, and for one whose state
// is encrypted.
std::vector<Register> registers(const Kvm& kvm, const Vcpu& vcpu);

}  // namespace kvmscope::kvm
