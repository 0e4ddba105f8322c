#include "commands/trace/load_parts.hpp"

#include <string>

#include "core/base/error.hpp"

namespace kvmscope::tracing {
namespace {

// Which functions change a vCPU's root, arch/x86/kvm/mmu/mmu.c. On a kernel that lacks one of
// those that are not required, its cause does not exist.
const std::vector<LoadSource>& sources() {
  static const std::vector<LoadSource> all = {
      {.event = switch_event,
       .functions =
           {
               "kvm_mmu_new_pgd",
               "kvm_mmu_new_cr3",  // until be01e8e2c632 (v5.8)
           },
       .required = true},
      {.event = "load", .functions = {"kvm_mmu_load"}, .required = true},
      {.event = "reset", .functions = {"kvm_mmu_reset_context"}, .cause = Cause::reset},
      // Since v5.18. Before, an obsolete root was dropped by kvm_mmu_unload() alone.
      {.event = "obsolete", .functions = {"kvm_mmu_free_obsolete_roots"}, .cause = Cause::obsolete},
      {.event = "unload", .functions = {"kvm_mmu_unload"}, .cause = Cause::unload},
      // A PAE guest's four entries are part of its root.
      {.event = "pdptrs", .functions = {"load_pdptrs"}, .cause = Cause::pdptrs},
  };
  return all;
}

// From %di, the first argument: a struct kvm_vcpu.
std::vector<probe::FetchArg> vcpu_args(const kvm::Layout& layout) {
  const kvm::VcpuFields& vcpu = layout.vcpu();
  const kvm::MmuFields& mmu = layout.mmu();
  for (const Field* field : {&vcpu.kvm, &vcpu.vcpu_id, &vcpu.mmu, &mmu.root_hpa}) require(*field);
  const bool pointer = vcpu.mmu.type->kind == TypeKind::pointer;
  const std::string root =
      pointer ? fmt::format("+{}(+{}(%di)):x64", mmu.root_hpa.offset, vcpu.mmu.offset)
              : fmt::format("+{}(%di):x64", mmu.root_hpa.offset + vcpu.mmu.offset);
  return {
      {.text = "vcpu", .field = "vcpu", .fetch = "%di:x64"},
      {.text = "vcpu->kvm", .field = "kvm", .fetch = fmt::format("+{}(%di):x64", vcpu.kvm.offset)},
      {.text = "vcpu->vcpu_id",
       .field = "id",
       .fetch = fmt::format("+{}(%di):u32", vcpu.vcpu_id.offset)},
      {.text = "vcpu->arch.mmu->root.hpa", .field = "root", .fetch = root}};
}

// Where a function of KVM's is, as kprobe_events wants it; none: this kernel has no such function.
std::optional<std::string> place_of(const Kernel& kernel, std::string_view function) {
  const bool is_module = kernel.module("kvm") != nullptr;
  const std::optional<Symbol> symbol =
      is_module ? kernel.find_symbol("kvm", function) : kernel.find_symbol(function);
  if (!symbol) return std::nullopt;
  return fmt::format("{}{}", is_module ? "kvm:" : "", function);
}

}  // namespace

LoadPlan load_plan(const kvm::Kvm& kvm) {
  LoadPlan made;
  for (const LoadSource& source : sources()) {
    std::optional<std::string> place;
    for (const std::string_view function : source.functions)
      if (!place) place = place_of(kvm.kernel(), function);
    if (!place && source.required)
      throw_error(ErrorKind::unavailable, "this kernel has no function {} to probe",
                  source.functions.front());
    if (!place) continue;
    made.plan.probes.push_back(
        {.event = std::string(source.event), .place = *place, .args = vcpu_args(kvm.layout())});
    made.sources.push_back(source);
  }
  return made;
}

std::string load_filter(const kvm::Vm& vm) {
  return fmt::format("kvm == {:#x}", vm.address.value);
}

}  // namespace kvmscope::tracing
