#include "commands/output/objects.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace kvmscope {
namespace {

// What an address in a field is of. A field means the same in the records of all commands, but
// where another field of the record tells what it is.
struct ObjectField {
  std::string_view field;
  std::string_view type;       // empty: it stands in the field `told_by`
  std::string_view told_by{};  // this field must be there
  std::string_view word{};     // and say this; empty: anything
};

constexpr std::string_view physical;  // the type of a physical address
constexpr std::string_view page = "struct kvm_mmu_page";
constexpr std::string_view word_of_memory = "unsigned long";

constexpr auto object_fields = std::to_array<ObjectField>({
    {"kvm", "struct kvm"},
    {"kvm_vcpu", "struct kvm_vcpu"},
    {"memslot", "struct kvm_memory_slot"},
    {"sp", page},
    {"root_sp", page},
    {"parent_sp", page},
    {"child_sp", page},
    {"spt", "u64 [512]"},
    {"spte_address", "u64"},
    {"hpa", physical},
    // audit: a list's head is one of a list_head or of an hlist_head.
    {"address", "struct kvm", "object", "vm"},
    {"address", word_of_memory, "object", "list"},
    {"address", page, "object", "sp"},
    {"address", "u64", "object", "spte"},
    {"address", "struct kvm_rmap_head", "object", "rmap"},
    {"address", "struct kvm_memory_slot", "object", "slot"},
    {"address", "struct kvm_vcpu", "object", "vcpu"},
    // print, list, stats
    {"address", {}, "object_type"},
});

bool has_column(std::span<const Column> columns, std::string_view name) {
  return std::ranges::any_of(columns, [&](const Column& column) { return column.name == name; });
}

bool applies(const ObjectField& known, const RecordView& record) {
  if (known.told_by.empty()) return true;
  return has_column(record.columns(), known.told_by) &&
         (known.word.empty() || record.text(known.told_by) == known.word);
}

// An address where there is one; why not, where it could not be read.
bool is_there(const Value& value) {
  return std::holds_alternative<Hex>(value) || std::holds_alternative<Lost>(value);
}

void find_below(std::span<const Column> columns, const Record& record, const std::string& path,
                const std::function<void(NamedObject)>& found) {
  const RecordView view(columns, record);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Value& value = record.values[i];
    if (const auto* below = std::get_if<Records>(&value)) {
      for (std::size_t index = 0; index < below->size(); ++index)
        find_below(columns[i].nested, (*below)[index],
                   fmt::format("{}{}[{}].", path, columns[i].name, index), found);
      continue;
    }
    if (!is_there(value)) continue;
    const auto known = std::ranges::find_if(object_fields, [&](const ObjectField& one) {
      return one.field == columns[i].name && applies(one, view);
    });
    if (known == object_fields.end()) continue;
    const bool told = known->type.empty() && !known->told_by.empty();
    found({path + std::string(columns[i].name),
           told ? view.text(known->told_by) : std::string(known->type), value});
  }
}

// What both programs can be told of a type. Neither parses types of functions, or without a name;
// and since types come from debug info, which may be anybody's, nothing else gets into a line that
// is meant to be pasted.
std::string_view writable(std::string_view type) {
  const bool plain = type.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
                         " *[]") == std::string_view::npos;
  return plain ? type : word_of_memory;
}

// "struct kvm", not "struct kvm *" or "struct page *[4]".
bool is_aggregate_name(std::string_view type) {
  return (type.starts_with("struct ") || type.starts_with("union ")) &&
         type.find_first_of("*[") == std::string_view::npos;
}

// C's name for a pointer to it: "u64 *", "u64 (*)[512]".
std::string pointer_to(std::string_view type) {
  const std::size_t bracket = type.find('[');
  if (bracket == std::string_view::npos)
    return fmt::format("{}{}*", type, type.ends_with('*') ? "" : " ");
  return fmt::format("{}(*){}", type.substr(0, bracket), type.substr(bracket));
}

}  // namespace

void find_objects(std::span<const Column> columns, const Record& record,
                  const std::function<void(NamedObject)>& found) {
  find_below(columns, record, "", found);
}

bool can_name_objects(std::span<const Column> columns) {
  return std::ranges::any_of(columns, [&](const Column& column) {
    return can_name_objects(column.nested) ||
           std::ranges::any_of(object_fields, [&](const ObjectField& known) {
             return known.field == column.name &&
                    (known.told_by.empty() || has_column(columns, known.told_by));
           });
  });
}

Value drgn_expression(const NamedObject& object) {
  const auto* address = std::get_if<Hex>(&object.address);
  if (address == nullptr) return {};
  if (object.type.empty())
    return fmt::format("prog.read_u64({:#x}, physical=True)", address->value);
  const std::string_view type = writable(object.type);
  if (is_aggregate_name(type))
    return fmt::format("Object(prog, \"{} *\", {:#x})", type, address->value);
  return fmt::format("Object(prog, \"{}\", address={:#x})", type, address->value);
}

Value crash_command(const NamedObject& object) {
  const auto* address = std::get_if<Hex>(&object.address);
  if (address == nullptr) return {};
  if (object.type.empty()) return fmt::format("rd -p {:#x}", address->value);
  const std::string_view type = writable(object.type);
  if (is_aggregate_name(type)) return fmt::format("{} {:#x}", type, address->value);
  return fmt::format("p -x *({}){:#x}", pointer_to(type), address->value);
}

}  // namespace kvmscope
