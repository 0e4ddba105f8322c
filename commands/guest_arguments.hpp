// Arguments that name one VM and a place in its memory.
#pragma once

#include <string_view>

#include "commands/command.hpp"
#include "core/base/address.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope {

// Of a command that is about one VM.
Argument one_vm_argument();

// A guest physical address: a number, gpa:N or gfn:N. Throws Error{usage}.
GuestPhysAddr parse_gpa(std::string_view text);
// A guest frame: a number, gfn:N or gpa:N. Throws Error{usage}.
Gfn parse_gfn(std::string_view text);

// --vcpu N and --cr3 ADDRESS, for what is said about guest virtual addresses.
std::vector<Option> guest_virtual_options();
// The vCPU that --vcpu names; the only one of the VM without it. Throws Error{usage}.
kvm::Vcpu find_vcpu(const kvm::Kvm& kvm, const kvm::Vm& vm, const Arguments& args);
// The one with this vcpu_id; the only one without. Throws Error{usage}.
kvm::Vcpu find_vcpu(const kvm::Kvm& kvm, const kvm::Vm& vm, std::optional<std::uint64_t> wanted);
// Throws Error{usage} when --vcpu or --cr3 is given without --gva.
void check_guest_virtual_options(const Arguments& args);

}  // namespace kvmscope
