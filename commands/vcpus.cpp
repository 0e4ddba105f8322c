// vcpus: the virtual CPUs of each VM, one record each.

#include <array>

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"
#include "core/kvm/guest_paging.hpp"
#include "core/kvm/registers.hpp"
#include "core/kvm/requests.hpp"

namespace kvmscope {
namespace {

struct Item {
  const kvm::Kvm& kvm;
  const kvm::Vm& vm;
  const kvm::Vcpu& vcpu;

  const kvm::VcpuFields& layout() const { return kvm.layout().vcpu(); }
  std::uint64_t get(const Field& field) const { return vcpu.fields.get(field); }
};

// include/linux/kvm_host.h, the values of vcpu->mode.
constexpr std::array<std::string_view, 4> modes = {
    "OUTSIDE_GUEST_MODE", "IN_GUEST_MODE", "EXITING_GUEST_MODE", "READING_SHADOW_PAGE_TABLES"};
// KVM_MP_STATE_*, include/uapi/linux/kvm.h.
constexpr std::array<std::string_view, 11> mp_states = {
    "runnable",   "uninitialized", "init_received", "halted",        "sipi_received", "stopped",
    "check_stop", "operating",     "load",          "ap_reset_hold", "suspended"};

template <std::size_t N>
std::string word_of(const std::array<std::string_view, N>& words, std::uint64_t value) {
  return value < N ? std::string(words[value]) : fmt::format("{}", value);
}

Value thread(const Item& item, Value (*get)(const Item&, VirtAddr)) {
  const VirtAddr pid = item.vcpu.fields.pointer(item.layout().pid);
  return pid.value != 0 ? get(item, pid) : Value{};  // NULL before the first KVM_RUN
}

Value thread_state(const Item& item, VirtAddr pid) {
  const std::optional<Task> task = item.kvm.tasks().thread(pid);
  return task ? Value{task->state} : Value{};
}

Value active_mmu(const Item& item) {
  return std::string(kvm::name(item.kvm.active_mmu(item.vcpu)));
}

const std::vector<FieldOf<Item>>& fields() {
  using K = ColumnKind;
  static const std::vector<FieldOf<Item>> all = {
      {{"vm", K::count, "number of the VM"},
       [](const Item& i) -> Value { return std::uint64_t{i.vm.index}; }},
      {{"vcpu", K::count, "vcpu_id, as user space numbers it"},
       [](const Item& i) -> Value { return i.get(i.layout().vcpu_id); }},
      {{"idx", K::count, "vcpu_idx, its place in the VM's array"},
       [](const Item& i) -> Value { return i.vcpu.idx; }},
      {{"kvm_vcpu", K::hex, "address of its struct kvm_vcpu"},
       [](const Item& i) -> Value { return Hex(i.vcpu.address); }},
      {{"tid", K::number, "thread that ran it last"},
       [](const Item& i) {
         return thread(i, [](const Item& item, VirtAddr pid) -> Value {
           return item.kvm.tasks().pid_number(pid);
         });
       }},
      {{"cpu", K::number, "host CPU that it is loaded on"},
       [](const Item& i) -> Value {
         const std::int64_t cpu = i.vcpu.fields.get_signed(i.layout().cpu);
         return cpu >= 0 ? Value{cpu} : Value{};
       }},
      {{"state", K::text, "state of the thread, as in ps"},
       [](const Item& i) { return thread(i, thread_state); }},
      {{"mode", K::text, "vcpu->mode"},
       [](const Item& i) -> Value { return word_of(modes, i.get(i.layout().mode)); }},
      {{"mp_state", K::text, "KVM_MP_STATE_*"},
       [](const Item& i) -> Value { return word_of(mp_states, i.get(i.layout().mp_state)); }},
      {{"requests", K::words, "KVM_REQ_* pending"},
       [](const Item& i) -> Value { return kvm::request_names(i.get(i.layout().requests)); }},
      {{"mmu", K::text, "which mmu builds the page tables: root_mmu or guest_mmu"}, active_mmu},
      {{"paging", K::text, "of the guest: none, 32-bit, pae, 4-level, 5-level"},
       [](const Item& i) -> Value {
         return std::string(kvm::paging_name(kvm::control_registers(i.kvm, i.vcpu)));
       }},
      {{"cr0", K::hex, "as cached"},
       [](const Item& i) -> Value { return Hex(i.get(i.layout().cr0)); }},
      {{"cr3", K::hex, "as cached"},
       [](const Item& i) -> Value { return Hex(i.get(i.layout().cr3)); }},
      {{"cr4", K::hex, "as cached"},
       [](const Item& i) -> Value { return Hex(i.get(i.layout().cr4)); }},
      {{"efer", K::hex, "as cached"},
       [](const Item& i) -> Value { return Hex(i.get(i.layout().efer)); }},
      {{"stale", K::words, "cached registers that may be old"},
       [](const Item& i) -> Value { return kvm::stale_registers(i.kvm, i.vcpu); }},
  };
  return all;
}

void list_vcpus(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  for (const kvm::Vm& vm : selected_vms(kvm, args, rows))
    steadily_by_vcpu(kvm, vm, rows, [&](const kvm::Vcpu& vcpu) {
      rows.add(make_record(fields(), Item{kvm, vm, vcpu}));
    });
}

}  // namespace

Command vcpus() {
  return {
      .names = {"vcpus"},
      .summary = "list the vCPUs of each VM",
      .arguments = {vm_argument()},
      .columns = columns_of(fields()),
      .view = {.table = {number_column("VM", "vm"), number_column("VCPU", "vcpu"),
                         column("KVM_VCPU", "kvm_vcpu"), number_column("TID", "tid"),
                         number_column("CPU", "cpu"), column("ST", "state"),
                         column("MP_STATE", "mp_state"), column("PAGING", "paging"),
                         column("MMU", "mmu"), column("CR3", "cr3"), column("REQUESTS", "requests"),
                         column("STALE", "stale")}},
      .keys = {"kvm_vcpu"},
      .examples = {"vcpus", "vcpus 2", "vcpus -o vm,vcpu,cr0,cr3,cr4,efer"},
      .run = list_vcpus,
  };
}

}  // namespace kvmscope
