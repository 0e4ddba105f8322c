// vms: the VMs on the host, one record each.

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"

namespace kvmscope {
namespace {

struct Item {
  const kvm::Kvm& kvm;
  const kvm::Vm& vm;

  std::uint64_t get(const Field& field) const { return vm.fields.get(field); }
  const kvm::VmFields& layout() const { return kvm.layout().vm(); }
  std::optional<Task> owner() const { return kvm.tasks().owner(vm.fields.pointer(layout().mm)); }
};

std::string mmu_mode(const Item& item) {
  if (!item.kvm.flag("tdp_enabled") && !item.kvm.flag("npt_enabled")) return "shadow";
  return item.kvm.uses_tdp_mmu(item.vm) ? "tdp_mmu" : "tdp";
}

Value owner_value(const Item& item, Value (*get)(const Item&, const Task&)) {
  const std::optional<Task> owner = item.owner();
  return owner ? get(item, *owner) : Value{};
}

Value cgroup(const Item& item, const Task& task) {
  std::optional<std::string> path = item.kvm.tasks().cgroup(task.address);
  return path ? Value{std::move(*path)} : Value{};
}

Value active_pages(const Item& item) {
  return item.kvm.active_page_count(item.vm);
}

Value slots(const Item& item) {
  return std::uint64_t{item.kvm.memslots(item.vm).size()};
}

const std::vector<FieldOf<Item>>& fields() {
  using K = ColumnKind;
  static const std::vector<FieldOf<Item>> all = {
      {{"vm", K::count, "number, from 0 in order of creation"},
       [](const Item& i) -> Value { return std::uint64_t{i.vm.index}; }},
      {{"id", K::text, "the kernel's own name of the VM, PID-FD"},
       [](const Item& i) -> Value {
         std::optional<std::string> id = i.kvm.id(i.vm);
         return id ? Value{std::move(*id)} : Value{};
       }},
      {{"kvm", K::hex, "address of its struct kvm"},
       [](const Item& i) -> Value { return Hex(i.vm.address); }},
      {{"pid", K::number, "process that owns its memory (tgid of mm->owner)"},
       [](const Item& i) {
         return owner_value(i, [](const Item&, const Task& t) -> Value { return t.tgid; });
       }},
      {{"userspace_pid", K::number, "process that created it, as KVM recorded it"},
       [](const Item& i) -> Value { return i.vm.fields.get_signed(i.layout().userspace_pid); }},
      {{"comm", K::text, "name of the owner"},
       [](const Item& i) {
         return owner_value(i, [](const Item&, const Task& t) -> Value { return t.comm; });
       }},
      {{"cgroup", K::text, "cgroup2 path of the owner"},
       [](const Item& i) { return owner_value(i, cgroup); }},
      {{"vcpus", K::count, "vCPUs online"},
       [](const Item& i) -> Value { return i.kvm.vcpu_count(i.vm); }},
      {{"slots", K::count, "memslots, KVM's private ones too"}, slots},
      {{"mmu_mode", K::text, "shadow, tdp or tdp_mmu"},
       [](const Item& i) -> Value { return mmu_mode(i); }},
      {{"mmu_pages_used", K::count, "shadow pages, as KVM counts them"},
       [](const Item& i) -> Value { return i.get(i.layout().used_pages); }},
      {{"mmu_pages_max", K::count, "limit of shadow pages"},
       [](const Item& i) -> Value { return i.get(i.layout().max_pages); }},
      {{"active_pages", K::count, "shadow pages, counted on active_mmu_pages"}, active_pages},
      {{"tdp_roots", K::count, "roots, counted on tdp_mmu_roots"},
       [](const Item& i) -> Value { return std::uint64_t{i.kvm.tdp_roots(i.vm).size()}; }},
      {{"mmu_valid_gen", K::count, "generation of shadow pages that are not obsolete"},
       [](const Item& i) -> Value {
         const std::optional<std::uint64_t> gen = i.vm.fields.find(i.layout().valid_gen);
         return gen ? Value{*gen} : Value{};
       }},
      {{"invalidate_seq", K::count, "mmu_invalidate_seq"},
       [](const Item& i) -> Value { return i.get(i.layout().invalidate_seq); }},
      {{"invalidate_in_progress", K::count, "MMU notifier invalidations under way"},
       [](const Item& i) -> Value { return i.get(i.layout().invalidate_in_progress); }},
  };
  return all;
}

void list_vms(Session& session, const Arguments&, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const std::vector<kvm::Vm> vms = selected_vms(kvm, {}, rows);
  steadily_by_vm(
      kvm, rows, vms, [](const kvm::Vm& vm) { return fmt::format("VM {} is left out", vm.index); },
      [&](const kvm::Vm& vm) {
        rows.add(make_record(fields(), Item{kvm, vm}));
      });
}

}  // namespace

Command vms() {
  return {
      .names = {"vms"},
      .summary = "list the VMs on the host",
      .columns = columns_of(fields()),
      .view = {.table = {number_column("VM", "vm"), column("ID", "id"), column("KVM", "kvm"),
                         number_column("PID", "pid"), column("COMM", "comm"),
                         number_column("VCPUS", "vcpus"), number_column("SLOTS", "slots"),
                         column("MMU", "mmu_mode"), number_column("PAGES", "active_pages"),
                         number_column("MAX", "mmu_pages_max"),
                         number_column("TDP ROOTS", "tdp_roots"),
                         number_column("SEQ", "invalidate_seq")}},
      .keys = {"id", "kvm"},
      .examples = {"vms", "vms -o vm,id,comm,mmu_mode", "vms -f json"},
      .run = list_vms,
  };
}

}  // namespace kvmscope
