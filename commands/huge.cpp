// huge: how large the pages of a guest's memory are, and why they are not larger.

#include <map>

#include "commands/catalogue.hpp"
#include "commands/guest_arguments.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "commands/targets.hpp"
#include "core/kvm/page_sizes.hpp"
#include "core/kvm/walk.hpp"

namespace kvmscope {
namespace {

using K = ColumnKind;

struct Item {
  const kvm::Memslot& slot;
  const kvm::SizeRange& range;
};

// Part of the tables there could not be read: the notes say which.
[[noreturn]] void throw_unknown() {
  throw Error(ErrorKind::fault, "its page tables could not be read");
}

// 0 where that is not known.
std::uint64_t kvm_bytes(const kvm::SizeRange& range) {
  const unsigned level = range.kvm_level.value_or(0);
  return level == 0 ? 0 : kvm::leaf_size(level);
}
std::uint64_t bytes(const kvm::SizeRange& range) {
  return (range.end - range.first) << page_shift;
}
Value limit(kvm::SizeLimit limit) {
  return limit == kvm::SizeLimit::none ? Value{} : Value{std::string(kvm::name(limit))};
}

const std::vector<FieldOf<Item>>& fields() {
  using I = const Item&;
  static const std::vector<FieldOf<Item>> all = {
      {{"vm", K::count, "number of the VM"}, [](I i) -> Value { return std::uint64_t{i.slot.vm}; }},
      {{"as_id", K::count, "memslot address space: 1 in system management mode"},
       [](I i) -> Value { return std::uint64_t{i.slot.as_id}; }},
      {{"slot", K::number, "memslot"}, [](I i) -> Value { return i.slot.id; }},
      {{"memslot", K::hex, "address of its struct kvm_memory_slot", {}, true},
       [](I i) -> Value { return Hex(i.slot.address); }},
      {{"first_gfn", K::hex, "first guest frame"}, [](I i) -> Value { return Hex(i.range.first); }},
      {{"end_gfn", K::hex, "guest frame after the last"},
       [](I i) -> Value { return Hex(i.range.end); }},
      {{"bytes", K::count, "size of the range"}, [](I i) -> Value { return bytes(i.range); }},
      {{"kvm_bytes", K::count, "size of the pages that KVM maps there; 0: none"},
       [](I i) -> Value {
         if (!i.range.kvm_level) throw_unknown();
         return kvm_bytes(i.range);
       }},
      {{"host_bytes", K::count, "size of the owner's own pages; 0: none"},
       [](I i) -> Value {
         if (!i.range.host_bytes) throw_unknown();
         return *i.range.host_bytes;
       }},
      {{"limit", K::text, "why KVM maps none of the next size; null: nothing is mapped, or 1 GiB"},
       [](I i) -> Value { return limit(i.range.limit); }},
  };
  return all;
}

std::vector<Column> summary_columns() {
  return {{"vm", K::count, "number of the VM"},
          {"kvm_bytes", K::count, "size of the pages that KVM maps; 0: none"},
          {"limit", K::text, "why none of the next size; null: nothing is mapped, or 1 GiB"},
          {"ranges", K::count, "how many ranges have both"},
          {"bytes", K::count, "and their size together"},
          {"meaning", K::text, "of the limit"}};
}

struct Total {
  std::uint64_t ranges = 0;
  std::uint64_t bytes = 0;
};

void show_vm(const kvm::Kvm& kvm, const kvm::Vm& vm, bool summary, RowSink& rows) {
  std::map<std::pair<std::uint64_t, kvm::SizeLimit>, Total> totals;
  for (const kvm::Memslot& slot : kvm.memslots(vm))
    rows.attempt(
        [&] { return fmt::format("memslot {} of VM {} is left out", slot.id, vm.index); },
        [&] {
          each_size_range(
              kvm, vm, slot,
              [&](const kvm::SizeRange& range) {
                Total& total = totals[{kvm_bytes(range), range.limit}];
                ++total.ranges;
                total.bytes += bytes(range);
                if (!summary) rows.add(make_record(fields(), Item{slot, range}));
              },
              [&](const Error& error) {
                rows.attempt(
                    [&] { return fmt::format("part of memslot {} is not known", slot.id); },
                    [&] { throw Error(error); });
              });
        });
  for (const auto& [key, total] : totals) {
    const bool limited = key.second != kvm::SizeLimit::none;
    if (summary)
      rows.add({{std::uint64_t{vm.index}, key.first, limit(key.second), total.ranges, total.bytes,
                 limited ? Value{std::string(kvm::meaning(key.second))} : Value{}}});
    else
      rows.footer(fmt::format(
          "{:>10} KiB in pages of {} KiB{}", total.bytes / 1024, key.first / 1024,
          limited
              ? fmt::format(", not larger: {}, {}", kvm::name(key.second), kvm::meaning(key.second))
              : ""));
  }
}

void show_sizes(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const kvm::Vm vm = find_vm(kvm, *args.text("VM"), rows);
  steadily_by_vm(
      kvm, rows, {vm}, [](const kvm::Vm&) { return std::string("page sizes are not known"); },
      [&](const kvm::Vm& now) { show_vm(kvm, now, args.has("--summary"), rows); });
}

TableColumn size_column(std::string_view header, std::string_view field) {
  return {header, Align::right, [field](const RecordView& record) {
            if (record.is_lost(field)) return record.text(field);
            const std::uint64_t size = record.number(field);
            if (size == 0) return std::string("-");
            if (size >= 1 << 30 && size % (1 << 30) == 0) return fmt::format("{}G", size >> 30);
            if (size >= 1 << 20 && size % (1 << 20) == 0) return fmt::format("{}M", size >> 20);
            return fmt::format("{}K", size >> 10);
          }};
}

}  // namespace

Command huge() {
  return {
      .names = {"huge"},
      .summary = "show how large the pages of a guest's memory are, and why not larger",
      .details =
          "One range for all neighbouring frames whose pages have the same size in KVM and in the\n"
          "owner's process, and the same reason not to be larger. What a nested guest's own tables "
          "map is left\n"
          "out.",
      .arguments = {one_vm_argument()},
      .options = {{"--summary", "", ArgumentKind::text, "totals by size and reason"}},
      .columns = columns_of(fields()),
      .view = {.table = {number_column("SLOT", "slot"), column("GFN", "first_gfn"),
                         column("END", "end_gfn"), size_column("BYTES", "bytes"),
                         size_column("KVM", "kvm_bytes"), size_column("HOST", "host_bytes"),
                         column("NOT LARGER", "limit")}},
      .modes = {{.option = "--summary",
                 .columns = summary_columns(),
                 .view = {.table = {size_column("KVM", "kvm_bytes"),
                                    number_column("RANGES", "ranges"),
                                    size_column("BYTES", "bytes"), column("NOT LARGER", "limit"),
                                    column("MEANING", "meaning")}}}},
      .keys = {"vm", "as_id", "slot", "first_gfn"},
      .examples = {"huge 0", "huge 0 --summary", "huge 0 -f json"},
      .run = show_sizes,
  };
}

}  // namespace kvmscope
