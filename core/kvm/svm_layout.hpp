// Where kvm-amd keeps what a VM and its vCPUs are to AMD's hardware. Everything is optional: on an
// Intel host nobody has these types.
#pragma once

#include "core/kernel/fields.hpp"

namespace kvmscope::kvm {

// struct kvm_svm, arch/x86/kvm/svm/svm.h: starts with the VM's struct kvm.
struct SvmVmFields : FieldGroup {
  explicit SvmVmFields(const Types& types) : FieldGroup(types, "struct kvm_svm") {}
  Field sev_active = optional({"sev_info.active"});
};

// struct vcpu_svm: starts with the vCPU's struct kvm_vcpu.
struct SvmVcpuFields : FieldGroup {
  explicit SvmVcpuFields(const Types& types) : FieldGroup(types, "struct vcpu_svm") {}
  Field vmcb = optional({"vmcb"});  // the one in use: a nested guest's while one runs
};

// struct vmcb, asm/svm.h: what VMRUN loads and #VMEXIT stores.
struct VmcbFields : FieldGroup {
  explicit VmcbFields(const Types& types) : FieldGroup(types, "struct vmcb") {}
  Field rip = optional({"save.rip"});
  Field rsp = optional({"save.rsp"});
  Field rax = optional({"save.rax"});
  Field rflags = optional({"save.rflags"});
  Field cr0 = optional({"save.cr0"});
  Field cr2 = optional({"save.cr2"});
  Field cr3 = optional({"save.cr3"});
  Field cr4 = optional({"save.cr4"});
  Field efer = optional({"save.efer"});
  Field dr6 = optional({"save.dr6"});
  Field dr7 = optional({"save.dr7"});
  Field cpl = optional({"save.cpl"});
  Field cs = optional({"save.cs.selector"});
  Field cs_base = optional({"save.cs.base"});
  Field ss = optional({"save.ss.selector"});
  Field fs_base = optional({"save.fs.base"});
  Field gs_base = optional({"save.gs.base"});
  Field kernel_gs_base = optional({"save.kernel_gs_base"});
  Field tr = optional({"save.tr.selector"});
  Field gdtr_base = optional({"save.gdtr.base"});
  Field gdtr_limit = optional({"save.gdtr.limit"});
  Field idtr_base = optional({"save.idtr.base"});
  Field idtr_limit = optional({"save.idtr.limit"});
  Field star = optional({"save.star"});
  Field lstar = optional({"save.lstar"});
  Field nested_cr3 = optional({"control.nested_cr3"});
  Field exit_code = optional({"control.exit_code"});
};

}  // namespace kvmscope::kvm
