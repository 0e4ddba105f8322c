// stats: what KVM counts for each VM and vCPU, by the names that this kernel has.

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"
#include "core/object/object.hpp"

namespace kvmscope {
namespace {

using K = ColumnKind;

constexpr unsigned most_nested = 8;            // structs inside structs
constexpr std::uint64_t most_elements = 4096;  // of one array

// One member of struct kvm_vm_stat or kvm_vcpu_stat.
struct Statistic {
  std::string name;  // "halt_exits"; what is in `generic` is not told apart, as in debugfs
  Object object;     // a number, or an array of them
};

// A wrapper around one number: atomic64_t, atomic_long_t, refcount_t.
bool is_wrapper(const Type& type) {
  return type.members.size() == 1 && is_aggregate(type) && type.members[0].name == "counter";
}

// Collects the numbers and arrays inside `object`, members of anonymous aggregates too.
void collect(const Object& object, const std::string& name, unsigned depth,
             std::vector<Statistic>& into) {
  const Type& type = object.complete_type();
  if (!is_aggregate(type)) return into.push_back({name, object});
  if (is_wrapper(type)) return collect(object.member("counter"), name, depth + 1, into);
  if (depth > most_nested) throw Error(ErrorKind::corrupt, "the statistics' type is too deep");
  for (const Member& member : type.members) {
    const bool plain = member.name.empty() || member.name == "generic";
    const std::string below = plain          ? name
                              : name.empty() ? member.name
                                             : fmt::format("{}.{}", name, member.name);
    collect(object.part(member.type.get(), member.bit_offset, member.bit_size), below, depth + 1,
            into);
  }
}

const std::vector<Column>& element_columns() {
  static const std::vector<Column> columns = {{"index", K::count, ""}, {"count", K::count, ""}};
  return columns;
}

std::uint64_t number(const Object& object) {
  if (is_wrapper(object.complete_type())) return object.member("counter").as_unsigned();
  return object.as_unsigned();
}

Value value_of(const Object& object) {
  if (object.is_array()) return {};
  if (object.is_signed()) return object.as_signed();
  return number(object);
}

Value elements_of(const Object& object) {
  if (!object.is_array()) return {};
  const std::uint64_t count = object.complete_type().count.value_or(0);
  if (count > most_elements) throw_error(ErrorKind::corrupt, "{} elements", count);
  Records elements;
  const Object copy = object.snapshot();
  for (std::uint64_t i = 0; i < count; ++i)
    elements.push_back({{i, number(copy.index(static_cast<std::int64_t>(i)))}});
  return elements;
}

const std::vector<Column>& columns() {
  static const std::vector<Column> all = {
      {"vm", K::count, "number of the VM"},
      {"vcpu", K::count, "vcpu_id; null for what is counted of the whole VM"},
      {"name", K::text, "the member; a part of `generic` by its own name, as in debugfs"},
      {"value", K::number, "null for an array"},
      {"elements", K::records,
       "of an array, a histogram for instance: bucket n of a logarithmic one counts values below "
       "2^n; null for a number",
       element_columns()},
      {"address", K::hex, "where it lies", {}, true},
      {"object_type", K::text, "what lies there", {}, true},
  };
  return all;
}

// Names of statistics are in debug info only: no layout pack has them all. Throws
// Error{unavailable} that says what to install.
const Type& complete_struct(const Kernel& kernel, std::string_view name) {
  const Type* found = kernel.types().find(TypeKind::structure, name).type;
  if (found == nullptr) kernel.debug_info().need("kvm");
  return found != nullptr ? *found : kernel.types().get(TypeKind::structure, name);
}

class Listing {
 public:
  Listing(const Arguments& args, RowSink& rows) : all_(!args.has("--nonzero")), rows_(rows) {
    if (const std::optional<std::string> text = args.option("--name")) wanted_ = *text;
  }

  // Those of a struct kvm or kvm_vcpu.
  void add(const kvm::Kvm& kvm, std::string_view structure, VirtAddr at, unsigned vm,
           const Value& vcpu) {
    const Object holder = Object::reference(kvm.kernel().types(), kvm.memory(),
                                            complete_struct(kvm.kernel(), structure), at);
    std::vector<Statistic> found;
    collect(holder.member("stat"), "", 0, found);
    for (const Statistic& one : found) {
      if (!wanted_.empty() && one.name.find(wanted_) == std::string::npos) continue;
      Value value = value_or_lost([&] { return value_of(one.object); });
      Value elements = value_or_lost([&] { return elements_of(one.object); });
      if (!all_ && is_zero(value, elements)) continue;
      const std::optional<VirtAddr> address = one.object.address();
      rows_.add({{std::uint64_t{vm}, vcpu, one.name, std::move(value), std::move(elements),
                  address ? Value{Hex(*address)} : Value{}, type_name(one.object.type())}});
    }
  }

 private:
  static bool is_zero(const Value& value, const Value& elements) {
    if (const auto* count = std::get_if<std::uint64_t>(&value)) return *count == 0;
    if (const auto* count = std::get_if<std::int64_t>(&value)) return *count == 0;
    const auto* records = std::get_if<Records>(&elements);
    if (records == nullptr) return false;
    for (const Record& record : *records)
      if (record.values[1] != Value{std::uint64_t{0}}) return false;
    return true;
  }

  bool all_;
  std::string wanted_;
  RowSink& rows_;
};

void list_stats(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  Listing listing(args, rows);
  for (const kvm::Vm& vm : selected_vms(kvm, args, rows)) {
    steadily_by_vm(
        kvm, rows, {vm},
        [](const kvm::Vm& of) { return fmt::format("statistics of VM {} are lost", of.index); },
        [&](const kvm::Vm& of) { listing.add(kvm, "kvm", of.address, of.index, {}); });
    steadily_by_vcpu(kvm, vm, rows, [&](const kvm::Vcpu& vcpu) {
      listing.add(kvm, "kvm_vcpu", vcpu.address, vm.index,
                  vcpu.fields.get(kvm.layout().vcpu().vcpu_id));
    });
  }
}

// "12", or the elements that are not zero: "3:17 4:2".
std::string amount_text(const RecordView& record) {
  if (!record.is_null("value")) return record.text("value");
  if (record.is_lost("elements")) return record.text("elements");
  std::string text;
  for (const Record& row : record.records("elements")) {
    const RecordView element(element_columns(), row);
    if (element.number("count") != 0)
      text += fmt::format("{}[{}]={}", text.empty() ? "" : " ", element.text("index"),
                          element.text("count"));
  }
  return text.empty() ? "all 0" : text;
}

}  // namespace

Command stats() {
  return {
      .names = {"stats"},
      .summary = "show what KVM counts for each VM and vCPU",
      .details =
          "Every member of struct kvm_vm_stat and struct kvm_vcpu_stat, by the names that this\n"
          "kernel has; tables show the elements of an array that are not zero.",
      .arguments = {vm_argument()},
      .options = {{"--name", "TEXT", ArgumentKind::text, "only those with TEXT in their name"},
                  {"--nonzero", "", ArgumentKind::text, "only those that are not zero"}},
      .columns = columns(),
      .view = {.table = {number_column("VM", "vm"),
                         number_column("VCPU", "vcpu"),
                         column("NAME", "name"),
                         {"VALUE", Align::left, amount_text}}},
      .keys = {"vm", "vcpu", "name"},
      .examples = {"stats 0 --nonzero", "stats --name mmu", "stats -f json"},
      .run = list_stats,
  };
}

}  // namespace kvmscope
