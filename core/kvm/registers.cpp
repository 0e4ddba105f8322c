#include "core/kvm/registers.hpp"

#include <array>

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t in_guest_mode = 1;  // IN_GUEST_MODE, include/linux/kvm_host.h

constexpr std::array<std::string_view, 16> general = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                                      "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                                      "r12", "r13", "r14", "r15"};
constexpr std::size_t rsp_index = 4;
constexpr std::size_t rip_index = 16;  // in regs, where that has room for it

struct Late {
  std::string_view name;
  std::string_view enumerator;
};
constexpr std::array<Late, 3> late_control = {
    {{"cr0", "VCPU_EXREG_CR0"}, {"cr3", "VCPU_EXREG_CR3"}, {"cr4", "VCPU_EXREG_CR4"}}};

struct VmcbRegister {
  std::string_view name;
  Field VmcbFields::*field;
  std::string_view remark = {};
};
// KVM runs the guest on control registers of its own making, in part.
constexpr std::string_view as_run = "as the guest runs on it, with what KVM adds or replaces";
constexpr std::array<VmcbRegister, 26> vmcb_registers = {{
    {"rip", &VmcbFields::rip},
    {"rsp", &VmcbFields::rsp},
    {"rax", &VmcbFields::rax},
    {"rflags", &VmcbFields::rflags},
    {"cpl", &VmcbFields::cpl},
    {"cr0", &VmcbFields::cr0, as_run},
    {"cr2", &VmcbFields::cr2},
    {"cr3", &VmcbFields::cr3, as_run},
    {"cr4", &VmcbFields::cr4, as_run},
    {"efer", &VmcbFields::efer, as_run},
    {"dr6", &VmcbFields::dr6},
    {"dr7", &VmcbFields::dr7},
    {"cs", &VmcbFields::cs},
    {"cs.base", &VmcbFields::cs_base},
    {"ss", &VmcbFields::ss},
    {"fs.base", &VmcbFields::fs_base},
    {"gs.base", &VmcbFields::gs_base},
    {"kernel_gs_base", &VmcbFields::kernel_gs_base},
    {"tr", &VmcbFields::tr},
    {"gdtr.base", &VmcbFields::gdtr_base},
    {"gdtr.limit", &VmcbFields::gdtr_limit},
    {"idtr.base", &VmcbFields::idtr_base},
    {"idtr.limit", &VmcbFields::idtr_limit},
    {"star", &VmcbFields::star},
    {"lstar", &VmcbFields::lstar},
    {"nested_cr3", &VmcbFields::nested_cr3, "root of the page tables that KVM built"},
}};

bool in_guest(const Kvm& kvm, const Vcpu& vcpu) {
  return vcpu.fields.get(kvm.layout().vcpu().mode) == in_guest_mode;
}

std::string stale_cached(const Kvm& kvm, const Vcpu& vcpu, std::string_view enumerator) {
  if (in_guest(kvm, vcpu)) return "the vCPU is in the guest, and the CPU has newer values";
  if (!enumerator.empty() && !is_available(kvm, vcpu, enumerator))
    return "not read back from the hardware since the last exit (regs_avail)";
  return {};
}

class Collector {
 public:
  Collector(const Kvm& kvm, const Vcpu& vcpu) : kvm_(kvm), vcpu_(vcpu) {}

  void cached(std::string_view name, std::uint64_t value, std::string_view enumerator = {}) {
    all_.push_back({name, "cache", value, stale_cached(kvm_, vcpu_, enumerator), {}});
  }
  // Of a field that some kernels lack.
  void cached(std::string_view name, const Field& field, std::string_view enumerator = {}) {
    if (const auto value = vcpu_.fields.find(field)) cached(name, *value, enumerator);
  }
  void stored(const VmcbRegister& reg, const StructCopy& vmcb, const VmcbFields& fields) {
    const std::optional<std::uint64_t> value = vmcb.find(fields.*reg.field);
    if (!value) return;
    all_.push_back(
        {reg.name, "vmcb", *value,
         in_guest(kvm_, vcpu_) ? "the vCPU is in the guest: stored at its last exit" : "",
         reg.remark});
  }
  std::vector<Register> take() { return std::move(all_); }

 private:
  const Kvm& kvm_;
  const Vcpu& vcpu_;
  std::vector<Register> all_;
};

void add_cached(const Kvm& kvm, const Vcpu& vcpu, Collector& into) {
  const VcpuFields& fields = kvm.layout().vcpu();
  for (std::size_t i = 0; i < general.size() && i < fields.regs.count(); ++i)
    into.cached(general[i], vcpu.fields.get(fields.regs, i), i == rsp_index ? "VCPU_REGS_RSP" : "");
  if (fields.rip.present())
    into.cached("rip", fields.rip, "VCPU_REG_RIP");
  else if (fields.regs.count() > rip_index)
    into.cached("rip", vcpu.fields.get(fields.regs, rip_index), "VCPU_REGS_RIP");
  into.cached("cr0", fields.cr0, late_control[0].enumerator);
  into.cached("cr2", fields.cr2);
  into.cached("cr3", fields.cr3, late_control[1].enumerator);
  into.cached("cr4", fields.cr4, late_control[2].enumerator);
  into.cached("cr8", fields.cr8);
  into.cached("efer", fields.efer);
}

void add_stored(const Kvm& kvm, const Vcpu& vcpu, Collector& into) {
  if (find_module(kvm.kernel().modules(), "kvm_amd") == nullptr) return;
  const SvmVcpuFields& svm = kvm.layout().svm_vcpu();
  if (!svm.vmcb.present()) return;
  const VirtAddr vmcb = StructCopy(svm, kvm.memory(), vcpu.address).pointer(svm.vmcb);
  const VmcbFields& fields = kvm.layout().vmcb();
  const StructCopy copy(fields, kvm.memory(), vmcb);
  for (const VmcbRegister& reg : vmcb_registers) into.stored(reg, copy, fields);
}

}  // namespace

bool is_available(const Kvm& kvm, const Vcpu& vcpu, std::string_view enumerator) {
  const Type* numbers = kvm.kernel().layout_types().find(TypeKind::enumeration, "kvm_reg").type;
  if (numbers == nullptr) return true;
  const std::uint64_t available = vcpu.fields.get(kvm.layout().vcpu().regs_avail);
  for (const Enumerator& number : numbers->enumerators)
    if (number.name == enumerator && number.value >= 0 && number.value < 64)
      return (available >> number.value & 1) != 0;
  return true;
}

std::vector<std::string> stale_registers(const Kvm& kvm, const Vcpu& vcpu) {
  std::vector<std::string> names;
  for (const Late& reg : late_control)
    if (!is_available(kvm, vcpu, reg.enumerator)) names.emplace_back(reg.name);
  return names;
}

std::vector<Register> registers(const Kvm& kvm, const Vcpu& vcpu) {
  if (vcpu.fields.find(kvm.layout().vcpu().protected_state).value_or(0) != 0)
    throw_error(ErrorKind::fault,
                "the registers of vCPU {} of VM {} are encrypted (guest_state_protected)",
                vcpu.fields.get(kvm.layout().vcpu().vcpu_id), vcpu.vm);
  Collector all(kvm, vcpu);
  add_cached(kvm, vcpu, all);
  add_stored(kvm, vcpu, all);
  return all.take();
}

}  // namespace kvmscope::kvm
