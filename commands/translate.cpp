// translate: where a guest physical address lies in the host, by the owner's page tables and by
// KVM's.

#include <algorithm>

#include "commands/catalogue.hpp"
#include "commands/entries.hpp"
#include "commands/guest_arguments.hpp"
#include "commands/root_names.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "core/kvm/host_walk.hpp"
#include "core/kvm/mappings.hpp"

namespace kvmscope {
namespace {

using K = ColumnKind;

// One address in one memslot: an address space of its own for system management mode may hold it,
// too.
struct Item {
  const kvm::Kvm& kvm;
  const kvm::Vm& vm;
  const kvm::Memslot& slot;
  GuestPhysAddr gpa;
  kvm::RootPaths& paths;
  kvm::HostWalk host = {};
  std::optional<Error> host_lost = {};
  std::vector<kvm::Mapping> sptes = {};
  std::optional<Error> sptes_lost = {};

  std::uint64_t hva() const {
    return slot.hva + ((to_gfn(gpa) - slot.base) << page_shift) + gpa.value % page_size;
  }
  const kvm::HostWalk& host_walk() const {
    if (host_lost) throw Error(*host_lost);
    return host;
  }
  // The same, of which the end is known.
  const kvm::HostWalk& whole_host_walk() const {
    if (host_walk().lost) throw Error(*host.lost);
    return host;
  }
  const std::vector<kvm::Mapping>& mappings() const {
    if (sptes_lost) throw Error(*sptes_lost);
    return sptes;
  }
};

// Where an SPTE says that the address is; none: it is no leaf.
std::optional<PhysAddr> target_of(const Item& item, const kvm::SptePlace& place) {
  const kvm::SpteFormat& format = item.kvm.spte_format();
  const unsigned level = place.page.level();
  if (format.kind(place.spte, level) != kvm::SpteKind::leaf) return std::nullopt;
  const std::uint64_t inside = item.gpa.value % kvm::leaf_size(level);
  return format.target(place.spte) + inside;
}

const std::vector<Column>& step_columns() {
  static const std::vector<Column> columns = {
      {"level", K::count, ""}, {"index", K::count, ""}, {"entry_address", K::hex, ""},
      {"entry", K::hex, ""},   {"kind", K::text, ""},
  };
  return columns;
}

Value steps_of(const Item& item) {
  Records steps;
  for (const WalkStep<PhysAddr>& step : item.host_walk().steps)
    steps.push_back({{std::uint64_t{step.level}, std::uint64_t{step.index}, Hex(step.entry_address),
                      Hex(step.entry), std::string(name(step.kind))}});
  return steps;
}

const std::vector<Column>& spte_columns() {
  static const std::vector<Column> columns = {
      {"source", K::text, ""}, {"level", K::count, ""}, {"spte_address", K::hex, ""},
      {"spte", K::hex, ""},    {"sp", K::hex, ""},      {"hpa", K::hex, ""},
      {"paths", K::words, ""},
  };
  return columns;
}

Value sptes_of(const Item& item) {
  Records records;
  for (const kvm::Mapping& mapping : item.mappings()) {
    const auto known = [&](auto&& get) {
      return value_or_lost([&]() -> Value {
        if (mapping.lost) throw Error(*mapping.lost);
        return get(*mapping.place);
      });
    };
    records.push_back(
        {{std::string(mapping.tdp_mmu ? "tdp_mmu" : "rmap"), std::uint64_t{mapping.level},
          Hex(mapping.spte_address),
          known([](const kvm::SptePlace& at) -> Value { return Hex(at.spte); }),
          known([](const kvm::SptePlace& at) -> Value { return Hex(at.page.address); }),
          known([&](const kvm::SptePlace& at) -> Value {
            const std::optional<PhysAddr> target = target_of(item, at);
            return target ? Value{Hex(*target)} : Value{};
          }),
          known([&](const kvm::SptePlace& at) -> Value {
            Words words = item.paths.to(at.page).texts;
            for (std::string& text : words)
              text += fmt::format(" {}[{}]", at.page.level(), at.index);
            return words;
          })}});
  }
  return records;
}

// Null where one of both maps nothing: KVM has not been asked for the page yet, or has given it up.
Value agree_of(const Item& item) {
  const std::optional<PhysAddr> host = item.whole_host_walk().hpa;
  if (item.mappings().empty()) return {};
  return std::ranges::all_of(item.mappings(), [&](const kvm::Mapping& mapping) {
    if (mapping.lost) throw Error(*mapping.lost);
    return host && target_of(item, *mapping.place) == host;
  });
}

const std::vector<FieldOf<Item>>& fields() {
  using I = const Item&;
  static const std::vector<FieldOf<Item>> all = {
      {{"vm", K::count, "number of the VM"},
       [](I i) -> Value { return std::uint64_t{i.vm.index}; }},
      {{"gpa", K::hex, "guest physical address"}, [](I i) -> Value { return Hex(i.gpa); }},
      {{"gfn", K::hex, "its frame"}, [](I i) -> Value { return Hex(to_gfn(i.gpa)); }},
      {{"as_id", K::count, "memslot address space: 1 in system management mode"},
       [](I i) -> Value { return std::uint64_t{i.slot.as_id}; }},
      {{"slot", K::number, "memslot that holds it"}, [](I i) -> Value { return i.slot.id; }},
      {{"hva", K::hex, "address in the owner's process"},
       [](I i) -> Value { return Hex(i.hva()); }},
      {{"host_steps", K::records, "walk of the owner's page tables", step_columns()}, steps_of},
      {{"host_state", K::text, "mapped, absent, prot_none, swapped or reserved"},
       [](I i) -> Value { return std::string(kvm::name(i.whole_host_walk().state)); }},
      {{"hpa", K::hex, "host physical address, by the owner's page tables"},
       [](I i) -> Value {
         const std::optional<PhysAddr> hpa = i.whole_host_walk().hpa;
         return hpa ? Value{Hex(*hpa)} : Value{};
       }},
      {{"host_page_bytes", K::count, "size of the host's page; 0: none"},
       [](I i) -> Value { return i.whole_host_walk().page_bytes; }},
      {{"sptes", K::records, "SPTEs that map it, as `rmap` has them, with the hpa that each says",
        spte_columns()},
       sptes_of},
      {{"agree", K::flag, "whether all say what the owner's page tables say; null: no SPTE"},
       agree_of},
  };
  return all;
}

// ---- for people

std::string host_text(const RecordView& record) {
  if (record.is_lost("host_steps")) return record.text("host_steps");
  std::string text;
  for (const Record& row : record.records("host_steps")) {
    const RecordView step(step_columns(), row);
    text += fmt::format("{}[{}] {}  ", step.text("level"), step.text("index"), step.text("entry"));
  }
  if (record.is_lost("hpa")) return text + record.text("hpa");
  if (record.is_null("hpa")) return text + "→ " + record.text("host_state");
  const bool prot_none = record.text("host_state") == "prot_none";
  return text + fmt::format("→ hpa {}, {} KiB{}", record.text("hpa"),
                            record.number("host_page_bytes") / 1024,
                            prot_none ? ", prot_none" : "");
}

std::string sptes_text(const RecordView& record) {
  if (record.is_lost("sptes")) return fmt::format("  SPTEs  {}\n", record.text("sptes"));
  std::string text;
  for (const Record& row : record.records("sptes")) {
    const RecordView spte(spte_columns(), row);
    if (spte.is_lost("sp")) {
      text += fmt::format("  SPTE   at {}  {}\n", spte.text("spte_address"), spte.text("sp"));
      continue;
    }
    const bool has_paths = !spte.is_lost("paths") && !spte.words("paths").empty();
    text += fmt::format("  SPTE   {} at {}  → hpa {}  {}\n", spte.text("spte"),
                        spte.text("spte_address"), spte.text("hpa"),
                        has_paths ? spte.words("paths").front() : spte.text("paths"));
  }
  return text.empty() ? "  SPTE   none\n" : text;
}

std::string verdict(const RecordView& record) {
  if (record.is_lost("agree")) return "not known";
  if (record.is_null("agree")) return "no SPTE maps it: KVM looks it up at the next access";
  return record.flag("agree") ? "both agree" : "they DISAGREE";
}

std::string block(const RecordView& record) {
  return fmt::format("gpa {} = gfn {} → memslot {} → hva {}\n  host   {}\n{}  {}\n",
                     record.text("gpa"), record.text("gfn"), record.text("slot"),
                     record.text("hva"), host_text(record), sptes_text(record), verdict(record));
}

// ---- translating

void show(const kvm::Kvm& kvm, const kvm::Vm& vm, GuestPhysAddr gpa, const kvm::RootNames& names,
          RowSink& rows) {
  const Gfn gfn = to_gfn(gpa);
  bool found = false;
  for (const kvm::Memslot& slot : kvm.memslots(vm)) {
    if (!holds(slot, gfn)) continue;
    found = true;
    kvm::RootPaths paths(kvm, names);
    Item item{kvm, vm, slot, gpa, paths};
    item.host_lost = lost_in([&] { item.host = kvm::walk_host(kvm, vm, item.hva()); });
    item.sptes_lost = lost_in([&] { item.sptes = kvm::mappings_of(kvm, vm, slot, gfn); });
    rows.add(make_record(fields(), item));
  }
  if (!found)
    rows.note(
        fmt::format("gpa {:#x} is in no memslot of VM {} (see `slots {}`): an access to it is MMIO",
                    gpa.value, vm.index, vm.index));
}

void translate_address(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const kvm::Vm vm = find_vm(kvm, *args.text("VM"), rows);
  const GuestPhysAddr gpa = parse_gpa(*args.text("ADDRESS"));
  const kvm::RootNames names = root_names(kvm, {vm}, rows);
  steadily_by_vm(
      kvm, rows, {vm}, [](const kvm::Vm&) { return std::string("the address is not translated"); },
      [&](const kvm::Vm& now) { show(kvm, now, gpa, names, rows); });
}

}  // namespace

Command translate() {
  return {
      .names = {"translate"},
      .summary = "say where a guest physical address lies in the host, and whether KVM agrees",
      .details =
          "By its memslot and the page tables of the process that owns the VM, beside every SPTE\n"
          "that maps it. Right after the host took a page away KVM may still be about to follow.",
      .arguments = {one_vm_argument(),
                    {"ADDRESS", ArgumentKind::address,
                     "a guest physical address: a number, gpa:N or gfn:N"}},
      .columns = columns_of(fields()),
      .view = {.block = block},
      .keys = {"vm", "as_id"},
      .examples = {"translate 0 0x144000", "translate 0 gfn:0x144 -f json"},
      .run = translate_address,
  };
}

}  // namespace kvmscope
