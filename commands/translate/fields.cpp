// The fields of a translation.

#include <algorithm>

#include "commands/translate/translation.hpp"

namespace kvmscope {
namespace {

using K = ColumnKind;
using Item = const Translation&;

// ---- from the guest physical address on

// Where an SPTE says that the address is; none: it is no leaf.
std::optional<PhysAddr> target_of(Item item, std::uint64_t spte, unsigned level) {
  const kvm::SpteFormat& format = item.kvm.spte_format();
  if (format.kind(spte, level) != kvm::SpteKind::leaf) return std::nullopt;
  return format.target(spte) + item.gpa->value % kvm::leaf_size(level);
}

std::optional<PhysAddr> target_of(Item item, const kvm::SptePlace& place) {
  return target_of(item, place.spte, place.page.level());
}

template <typename Output>
Records step_records(const std::vector<WalkStep<Output>>& steps) {
  Records records;
  for (const WalkStep<Output>& step : steps)
    records.push_back({{std::uint64_t{step.level}, std::uint64_t{step.index},
                        Hex(step.entry_address), Hex(step.entry), std::string(name(step.kind))}});
  return records;
}

Value sptes_of(Item item) {
  Records records;
  if (item.slot == nullptr) return records;
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

// ---- up to it

// Where the current root's walk ends; none: in no leaf.
std::optional<PhysAddr> root_hpa(Item item) {
  if (!item.root || item.root->steps.empty()) return std::nullopt;
  if (item.root->lost) throw Error(*item.root->lost);
  const kvm::Entry& last = item.root->steps.back().entry;
  if (last.kind != kvm::SpteKind::leaf) return std::nullopt;
  return item.kvm.spte_format().target(last.spte) + item.root->address % kvm::leaf_size(last.level);
}

Value root_steps_of(Item item) {
  if (item.root->lost) throw Error(*item.root->lost);
  Records records;
  for (const kvm::PathStep& step : item.root->steps)
    records.push_back(
        {{std::uint64_t{step.entry.level}, std::uint64_t{step.entry.index},
          Hex(step.entry.spte_address), Hex(step.entry.spte), std::string(name(step.entry.kind)),
          step.parent ? Value{Hex(step.parent->address)} : Value{}}});
  return records;
}

const kvm::GuestWalk& whole_guest_walk(Item item) {
  if (item.guest->walk.lost) throw Error(*item.guest->walk.lost);
  return item.guest->walk;
}

// Null where one side maps nothing: KVM has not been asked for the page yet, or has given it up.
Value agree_of(Item item) {
  if (item.slot == nullptr) return {};
  const std::optional<PhysAddr> host = item.whole_host_walk().hpa;
  const std::optional<PhysAddr> root = root_hpa(item);
  if (item.mappings().empty() && !root) return {};
  if (root && root != host) return false;
  return std::ranges::all_of(item.mappings(), [&](const kvm::Mapping& mapping) {
    if (mapping.lost) throw Error(*mapping.lost);
    return host && target_of(item, *mapping.place) == host;
  });
}

Value hpa_of(Item item) {
  const std::optional<PhysAddr> hpa = item.whole_host_walk().hpa;
  return hpa ? Value{Hex(*hpa)} : Value{};
}

// What a translation must have for a field of it; null without.
enum class Part { any, slot, gva, root };

struct TranslationField {
  Column column;
  Value (*get)(Item);
  Part part = Part::any;
};

bool has(Item item, Part part) {
  switch (part) {
    case Part::any: return true;
    case Part::slot: return item.slot != nullptr;
    case Part::gva: return item.guest.has_value();
    case Part::root: return item.root.has_value();
  }
  return false;
}

std::vector<TranslationField> physical_fields() {
  return {
      {{"vm", K::count, "number of the VM"},
       [](Item i) -> Value { return std::uint64_t{i.vm.index}; }},
      {{"gpa", K::hex, "guest physical address; null: the guest virtual one faults"},
       [](Item i) -> Value { return i.gpa ? Value{Hex(*i.gpa)} : Value{}; }},
      {{"gfn", K::hex, "its frame"},
       [](Item i) -> Value { return i.gpa ? Value{Hex(to_gfn(*i.gpa))} : Value{}; }},
      {{"as_id", K::count, "memslot address space: 1 in system management mode"},
       [](Item i) -> Value { return std::uint64_t{i.slot->as_id}; },
       Part::slot},
      {{"slot", K::number, "memslot that holds it; null: none does"},
       [](Item i) -> Value { return i.slot->id; },
       Part::slot},
      {{"memslot", K::hex, "address of its struct kvm_memory_slot", {}, true},
       [](Item i) -> Value { return Hex(i.slot->address); },
       Part::slot},
      {{"hva", K::hex, "address in the owner's process"},
       [](Item i) -> Value { return Hex(i.hva()); },
       Part::slot},
      {{"host_steps", K::records, "walk of the owner's page tables", walk_step_columns()},
       [](Item i) -> Value { return step_records(i.host_walk().steps); },
       Part::slot},
      {{"host_state", K::text, "mapped, absent, prot_none, swapped or reserved"},
       [](Item i) -> Value { return std::string(kvm::name(i.whole_host_walk().state)); },
       Part::slot},
      {{"hpa", K::hex, "host physical address, by the owner's page tables"}, hpa_of, Part::slot},
      {{"host_page_bytes", K::count, "size of the host's page; 0: none"},
       [](Item i) -> Value { return i.whole_host_walk().page_bytes; },
       Part::slot},
      {{"sptes", K::records, "SPTEs that map it, as `rmap` has them, with the hpa that each says",
        mapping_columns()},
       sptes_of},
      {{"agree", K::flag, "whether all say what the owner's page tables say; null: no SPTE"},
       agree_of},
  };
}

std::vector<TranslationField> virtual_fields() {
  return {
      {{"vcpu", K::count, "with --gva: vcpu_id"},
       [](Item i) -> Value { return i.root->vcpu; },
       Part::root},
      {{"gva", K::hex, "with --gva: guest virtual address"},
       [](Item i) -> Value { return Hex(i.guest->gva); },
       Part::gva},
      {{"paging", K::text, "with --gva: none, 32-bit, pae, 4-level, 5-level"},
       [](Item i) -> Value { return std::string(paging_name(i.guest->registers)); },
       Part::gva},
      {{"cr3", K::hex, "with --gva: where the walk starts"},
       [](Item i) -> Value { return Hex(i.guest->registers.cr3); },
       Part::gva},
      {{"guest_steps", K::records, "with --gva: walk of the guest's page tables",
        walk_step_columns()},
       [](Item i) -> Value { return step_records(i.guest->walk.steps); },
       Part::gva},
      {{"guest_state", K::text, "with --gva: mapped, nonpresent, reserved or noncanonical"},
       [](Item i) -> Value { return std::string(name(whole_guest_walk(i).state)); },
       Part::gva},
      {{"guest_fault", K::text, "with --gva: the level and the bits at which the guest faults"},
       [](Item i) -> Value {
         const std::string& fault = whole_guest_walk(i).fault;
         return fault.empty() ? Value{} : Value{fault};
       },
       Part::gva},
      {{"guest_page_bytes", K::count, "with --gva: size of the guest's page; 0: none"},
       [](Item i) -> Value { return whole_guest_walk(i).page_bytes; },
       Part::gva},
      {{"guest_access", K::text, "with --gva: what all levels allow together, as rwxu"},
       [](Item i) -> Value {
         const std::string& access = whole_guest_walk(i).access;
         return access.empty() ? Value{} : Value{access};
       },
       Part::gva},
      {{"root", K::text, "the root that the vCPU runs on"},
       [](Item i) -> Value { return i.root->name.empty() ? Value{} : Value{i.root->name}; },
       Part::root},
      {{"root_steps", K::records, "walk of that root", root_step_columns()},
       root_steps_of,
       Part::root},
      {{"root_hpa", K::hex, "where that walk ends; null: in no page"},
       [](Item i) -> Value {
         const std::optional<PhysAddr> hpa = root_hpa(i);
         return hpa ? Value{Hex(*hpa)} : Value{};
       }},
  };
}

const std::vector<TranslationField>& fields() {
  static const std::vector<TranslationField> all = [] {
    std::vector<TranslationField> both = physical_fields();
    std::vector<TranslationField> more = virtual_fields();
    for (TranslationField& field : more) both.push_back(std::move(field));
    return both;
  }();
  return all;
}

}  // namespace

const std::vector<Column>& walk_step_columns() {
  static const std::vector<Column> columns = {
      {"level", K::count, ""}, {"index", K::count, ""}, {"entry_address", K::hex, ""},
      {"entry", K::hex, ""},   {"kind", K::text, ""},
  };
  return columns;
}

const std::vector<Column>& root_step_columns() {
  static const std::vector<Column> columns = {
      {"level", K::count, ""}, {"index", K::count, ""}, {"spte_address", K::hex, ""},
      {"spte", K::hex, ""},    {"kind", K::text, ""},   {"sp", K::hex, ""},
  };
  return columns;
}

const std::vector<Column>& mapping_columns() {
  static const std::vector<Column> columns = {
      {"source", K::text, ""}, {"level", K::count, ""}, {"spte_address", K::hex, ""},
      {"spte", K::hex, ""},    {"sp", K::hex, ""},      {"hpa", K::hex, ""},
      {"paths", K::words, ""},
  };
  return columns;
}

std::vector<Column> translation_columns() {
  std::vector<Column> columns;
  for (const TranslationField& field : fields()) columns.push_back(field.column);
  return columns;
}

Record translation_record(const Translation& item) {
  Record record;
  for (const TranslationField& field : fields())
    record.values.push_back(
        value_or_lost([&] { return has(item, field.part) ? field.get(item) : Value{}; }));
  return record;
}

}  // namespace kvmscope
