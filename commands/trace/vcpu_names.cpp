#include "commands/trace/vcpu_names.hpp"

#include <algorithm>
#include <vector>

#include "commands/trace/runner.hpp"
#include "core/base/error.hpp"

namespace kvmscope::tracing {
namespace {

// Threads of no vCPU may fire thousands of events a second.
constexpr std::uint64_t between_refreshes_ns = 200'000'000;

}  // namespace

std::optional<std::uint64_t> VcpuNames::vm(std::uint64_t kvm_address) {
  if (!vms_.contains(kvm_address)) refresh_for_unknown();
  const auto found = vms_.find(kvm_address);
  return found != vms_.end() ? std::optional(found->second.number) : std::nullopt;
}

VcpuName VcpuNames::thread(std::int32_t tid) {
  if (!threads_.contains(tid)) refresh_for_unknown();
  const auto found = threads_.find(tid);
  return found != threads_.end() ? found->second : VcpuName();
}

void VcpuNames::refresh_for_unknown() {
  if (Clock::now_ns() - refreshed_ns_ > between_refreshes_ns) refresh();
}

void VcpuNames::refresh() {
  refreshed_ns_ = Clock::now_ns();
  // Ctrl-C ends the reading, and not the event that it is for: whoever takes events sees it.
  interrupted_in([&] { read_vms(); });
}

void VcpuNames::read_vms() {
  std::vector<VirtAddr> addresses;
  // What cannot be read now, since it changes under us, is read the next time.
  lost_in([&] { kvm_.each_vm_address([&](VirtAddr address) { addresses.push_back(address); }); });
  std::reverse(addresses.begin(), addresses.end());
  for (const VirtAddr address : addresses) lost_in([&] { add_vm(address); });
}

void VcpuNames::add_vm(VirtAddr address) {
  const kvm::Vm vm = kvm_.vm_at(address, 0);
  Known found{.number = 0, .id = kvm_.id(vm)};
  const auto known = vms_.find(address.value);
  if (known == vms_.end() || known->second.id != found.id) {
    found.number = next_number_++;
    vms_.insert_or_assign(address.value, std::move(found));
  }
  add_threads(vm);
}

void VcpuNames::add_threads(const kvm::Vm& vm) {
  const kvm::VcpuFields& layout = kvm_.layout().vcpu();
  const std::uint64_t number = vms_.at(vm.address.value).number;
  for (std::uint64_t idx = 0; idx < kvm_.vcpu_count(vm); ++idx) {
    const kvm::Vcpu vcpu = kvm_.vcpu_at(vm, idx);
    const VirtAddr pid = vcpu.fields.pointer(layout.pid);
    if (pid.value == 0) continue;  // before its first KVM_RUN
    const auto tid = static_cast<std::int32_t>(kvm_.tasks().pid_number(pid));
    threads_.insert_or_assign(tid, VcpuName{number, vcpu.fields.get(layout.vcpu_id)});
  }
}

std::string name_text(const VcpuName& name) {
  if (!name.vm && !name.vcpu) return "-";
  const auto text = [](const std::optional<std::uint64_t>& number) {
    return number ? fmt::format("{}", *number) : "?";
  };
  return text(name.vm) + '.' + text(name.vcpu);
}

}  // namespace kvmscope::tracing
