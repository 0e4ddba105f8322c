// roots: every root slot of each vCPU, valid or not.

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"

namespace kvmscope {
namespace {

struct Item {
  const kvm::Root& root;
  const kvm::Vcpu& vcpu;
  std::uint64_t cr3;  // as the vCPU has it now
};

// A field of the root's shadow page; null where it has none.
Value of_page(const Item& item, Value (*get)(const kvm::ShadowPage&)) {
  if (item.root.lost) throw Error(*item.root.lost);
  return item.root.page ? get(*item.root.page) : Value{};
}

const std::vector<FieldOf<Item>>& fields() {
  using K = ColumnKind;
  using Page = const kvm::ShadowPage&;
  static const std::vector<FieldOf<Item>> all = {
      {{"vm", K::count, "number of the VM"},
       [](const Item& i) -> Value { return std::uint64_t{i.root.vm}; }},
      {{"vcpu", K::count, "vcpu_id"}, [](const Item& i) -> Value { return i.root.vcpu; }},
      {{"mmu", K::text, "root_mmu or guest_mmu"},
       [](const Item& i) -> Value { return std::string(kvm::name(i.root.mmu)); }},
      {{"slot", K::text, "current, prevN, current.paeN"},
       [](const Item& i) -> Value { return i.root.slot(); }},
      {{"name", K::text, "the ROOT that other commands take"},
       [](const Item& i) -> Value { return i.root.name(); }},
      {{"valid", K::flag, "whether there is a root"},
       [](const Item& i) -> Value { return i.root.valid; }},
      {{"pgd", K::hex, "the guest's CR3 (EPTP, nCR3) that it shadows; 0 when direct"},
       [](const Item& i) -> Value {
         return i.root.valid && i.root.pgd ? Value{Hex(*i.root.pgd)} : Value{};
       }},
      {{"hpa", K::hex, "host physical address of the table"},
       [](const Item& i) -> Value { return i.root.valid ? Value{Hex(i.root.hpa)} : Value{}; }},
      {{"sp", K::hex, "its shadow page; null for a PAE table"},
       [](const Item& i) { return of_page(i, [](Page p) -> Value { return Hex(p.address); }); }},
      {{"level", K::count, "levels that the hardware walks from here"},
       [](const Item& i) -> Value {
         return i.root.valid ? Value{std::uint64_t{i.root.level}} : Value{};
       }},
      {{"gfn", K::hex, "guest frame of the table that it shadows"},
       [](const Item& i) { return of_page(i, [](Page p) -> Value { return Hex(p.gfn); }); }},
      {{"root_count", K::count, "references to the root"},
       [](const Item& i) {
         return of_page(i,
                        [](Page p) -> Value { return static_cast<std::uint64_t>(p.root_count); });
       }},
      {{"unsync_children", K::count, "entries with something unsync below"},
       [](const Item& i) { return of_page(i, [](Page p) -> Value { return p.unsync_children; }); }},
      {{"role_text", K::text, "the role in the tracepoints' words"},
       [](const Item& i) { return of_page(i, [](Page p) -> Value { return p.role.text(); }); }},
      {{"last_pgd", K::hex, "of an empty slot: what it held last"},
       [](const Item& i) -> Value {
         const bool stale = !i.root.valid && !i.root.pae && i.root.pgd;
         return stale ? Value{Hex(*i.root.pgd)} : Value{};
       }},
      {{"cr3", K::hex, "the vCPU's CR3, as cached", {}, true},
       [](const Item& i) -> Value { return Hex(i.cr3); }},
      {{"kvm_vcpu", K::hex, "address of its struct kvm_vcpu", {}, true},
       [](const Item& i) -> Value { return Hex(i.vcpu.address); }},
  };
  return all;
}

std::string state(const RecordView& record) {
  if (!record.flag("valid"))
    return record.is_null("last_pgd") ? "absent"
                                      : fmt::format("empty (last pgd {})", record.text("last_pgd"));
  const std::string role = record.text("role_text");
  if (role.find(" invalid") != std::string::npos) return "invalid";
  if (record.is_null("sp"))
    return record.number("level") == 3 && record.text("slot") == "current" ? "PAE table"
                                                                           : "no shadow page";
  if (role.find(" direct") != std::string::npos) return "direct";
  const bool current = record.text("slot") == "current";
  return current && record.number("pgd") == record.number("cr3") ? "= cr3" : "";
}

void list_roots(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  for (const kvm::Vm& vm : selected_vms(kvm, args, rows))
    steadily_by_vcpu(kvm, vm, rows, [&](const kvm::Vcpu& vcpu) {
      const std::uint64_t cr3 = vcpu.fields.get(kvm.layout().vcpu().cr3);
      for (const kvm::Root& root : kvm.roots(vcpu))
        rows.add(make_record(fields(), Item{root, vcpu, cr3}));
      rows.attempt([] { return std::string("names may be wrong"); }, [&] { kvm.active_mmu(vcpu); });
    });
}

}  // namespace

Command roots() {
  return {
      .names = {"roots"},
      .summary = "list the root slots of each vCPU, valid or not",
      .details =
          "A root is where a tree of shadow or TDP page tables starts. prev_roots keeps the "
          "last\nthree, the most recent first, so that a guest's switch back is cheap.",
      .arguments = {vm_argument()},
      .columns = columns_of(fields()),
      .view = {.table = {column("ROOT", "name"),
                         column("PGD", "pgd"),
                         column("HPA", "hpa"),
                         column("SP", "sp"),
                         column("L", "level"),
                         number_column("REFS", "root_count"),
                         number_column("KIDS", "unsync_children"),
                         {"STATE", Align::left, state}}},
      .keys = {"name"},
      .examples = {"roots 0", "roots -f json", "roots -o name,pgd,role_text"},
      .run = list_roots,
  };
}

}  // namespace kvmscope
