#include "commands/guest_arguments.hpp"

#include <fmt/ranges.h>

namespace kvmscope {
namespace {

constexpr std::string_view gpa_mark = "gpa:";
constexpr std::string_view gfn_mark = "gfn:";

}  // namespace

Argument one_vm_argument() {
  return {"VM", ArgumentKind::vm,
          "an index (3), an id (95-4), pid:95 or the address of a struct kvm"};
}

GuestPhysAddr parse_gpa(std::string_view text) {
  if (text.starts_with(gfn_mark)) return to_gpa(parse_gfn(text));
  return {parse_number(text.starts_with(gpa_mark) ? text.substr(gpa_mark.size()) : text)};
}

Gfn parse_gfn(std::string_view text) {
  if (text.starts_with(gpa_mark)) return to_gfn(parse_gpa(text));
  return {parse_number(text.starts_with(gfn_mark) ? text.substr(gfn_mark.size()) : text)};
}

std::vector<Option> guest_virtual_options() {
  return {{"--gva", "", ArgumentKind::text, "ADDRESS is a guest virtual one"},
          {"--vcpu", "N", ArgumentKind::number,
           "vCPU (vcpu_id) whose page tables count; the only one when left out"},
          {"--cr3", "ADDRESS", ArgumentKind::number,
           "another address space of it than its current one"}};
}

void check_guest_virtual_options(const Arguments& args) {
  for (const std::string_view option : {"--vcpu", "--cr3"})
    if (args.has(option) && !args.has("--gva"))
      throw_error(ErrorKind::usage, "{} is about guest virtual addresses: give --gva, too", option);
}

kvm::Vcpu find_vcpu(const kvm::Kvm& kvm, const kvm::Vm& vm, const Arguments& args) {
  return find_vcpu(kvm, vm, args.number("--vcpu"));
}

kvm::Vcpu find_vcpu(const kvm::Kvm& kvm, const kvm::Vm& vm, std::optional<std::uint64_t> wanted) {
  const std::uint64_t count = kvm.vcpu_count(vm);
  std::vector<std::uint64_t> ids;
  for (std::uint64_t idx = 0; idx < count; ++idx) {
    kvm::Vcpu vcpu = kvm.vcpu_at(vm, idx);
    ids.push_back(vcpu.fields.get(kvm.layout().vcpu().vcpu_id));
    if (wanted ? ids.back() == *wanted : count == 1) return vcpu;
  }
  if (ids.empty()) throw_error(ErrorKind::usage, "VM {} has no vCPU", vm.index);
  throw_error(ErrorKind::usage, "{}; VM {} has: {}",
              wanted ? fmt::format("no vCPU {}", *wanted) : "say which vCPU: --vcpu N", vm.index,
              fmt::join(ids, ", "));
}

}  // namespace kvmscope
