// vcpus: the virtual CPUs of each VM, one record each.

#include <array>

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"

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

struct Request {
  unsigned bit;
  std::string_view word;
};
// KVM_REQ_*, include/linux/kvm_host.h and (from bit 8) arch/x86/include/asm/kvm_host.h: macros,
// so no debug info names them. These have kept their numbers since v5.10.
constexpr std::array<Request, 27> requests = {{{0, "TLB_FLUSH"},
                                               {8, "MIGRATE_TIMER"},
                                               {9, "REPORT_TPR_ACCESS"},
                                               {10, "TRIPLE_FAULT"},
                                               {11, "MMU_SYNC"},
                                               {12, "CLOCK_UPDATE"},
                                               {13, "LOAD_MMU_PGD"},
                                               {14, "EVENT"},
                                               {15, "APF_HALT"},
                                               {16, "STEAL_UPDATE"},
                                               {17, "NMI"},
                                               {18, "PMU"},
                                               {19, "PMI"},
                                               {20, "SMI"},
                                               {21, "MASTERCLOCK_UPDATE"},
                                               {22, "MCLOCK_INPROGRESS"},
                                               {23, "SCAN_IOAPIC"},
                                               {24, "GLOBAL_CLOCK_UPDATE"},
                                               {25, "APIC_PAGE_RELOAD"},
                                               {31, "LOAD_EOI_EXITMAP"},
                                               {32, "GET_NESTED_STATE_PAGES"},
                                               {33, "APICV_UPDATE"},
                                               {34, "TLB_FLUSH_CURRENT"},
                                               {35, "TLB_FLUSH_GUEST"},
                                               {36, "APF_READY"},
                                               {37, "MSR_FILTER_CHANGED"},
                                               {39, "MMU_FREE_OBSOLETE_ROOTS"}}};

constexpr std::uint64_t cr0_pg = 1ULL << 31;
constexpr std::uint64_t cr4_pae = 1ULL << 5;
constexpr std::uint64_t cr4_la57 = 1ULL << 12;
constexpr std::uint64_t efer_lma = 1ULL << 10;

template <std::size_t N>
std::string word_of(const std::array<std::string_view, N>& words, std::uint64_t value) {
  return value < N ? std::string(words[value]) : fmt::format("{}", value);
}

Value request_words(const Item& item) {
  const std::uint64_t pending = item.get(item.layout().requests);
  Words words;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if ((pending >> bit & 1) == 0) continue;
    const auto known = std::find_if(requests.begin(), requests.end(),
                                    [&](const Request& request) { return request.bit == bit; });
    words.push_back(known != requests.end() ? std::string(known->word) : fmt::format("bit{}", bit));
  }
  return words;
}

std::string paging(const Item& item) {
  const std::uint64_t cr4 = item.get(item.layout().cr4);
  if ((item.get(item.layout().cr0) & cr0_pg) == 0) return "none";
  if ((item.get(item.layout().efer) & efer_lma) != 0)
    return (cr4 & cr4_la57) != 0 ? "5-level" : "4-level";
  return (cr4 & cr4_pae) != 0 ? "pae" : "32-bit";
}

// A clear bit in regs_avail says that the hardware holds a newer value. enum kvm_reg
// (asm/kvm_host.h) numbers the bits; a register that it does not name is never cached late.
Value stale_words(const Item& item) {
  const std::uint64_t available = item.get(item.layout().regs_avail);
  const Type* numbers =
      item.kvm.kernel().layout_types().find(TypeKind::enumeration, "kvm_reg").type;
  struct Register {
    std::string_view enumerator, word;
  };
  constexpr std::array<Register, 3> cached = {
      {{"VCPU_EXREG_CR0", "cr0"}, {"VCPU_EXREG_CR3", "cr3"}, {"VCPU_EXREG_CR4", "cr4"}}};
  Words words;
  for (const Register& reg : cached) {
    if (numbers == nullptr) break;
    for (const Enumerator& number : numbers->enumerators)
      if (number.name == reg.enumerator && number.value >= 0 && number.value < 64 &&
          (available >> number.value & 1) == 0)
        words.emplace_back(reg.word);
  }
  return words;
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
      {{"requests", K::words, "KVM_REQ_* pending"}, request_words},
      {{"mmu", K::text, "which mmu builds the page tables: root_mmu or guest_mmu"}, active_mmu},
      {{"paging", K::text, "of the guest: none, 32-bit, pae, 4-level, 5-level"},
       [](const Item& i) -> Value { return paging(i); }},
      {{"cr0", K::hex, "as cached"},
       [](const Item& i) -> Value { return Hex(i.get(i.layout().cr0)); }},
      {{"cr3", K::hex, "as cached"},
       [](const Item& i) -> Value { return Hex(i.get(i.layout().cr3)); }},
      {{"cr4", K::hex, "as cached"},
       [](const Item& i) -> Value { return Hex(i.get(i.layout().cr4)); }},
      {{"efer", K::hex, "as cached"},
       [](const Item& i) -> Value { return Hex(i.get(i.layout().efer)); }},
      {{"stale", K::words, "cached registers that may be old"}, stale_words},
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
