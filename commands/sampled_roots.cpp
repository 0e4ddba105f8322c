#include "commands/sampled_roots.hpp"

#include <fmt/format.h>

namespace kvmscope {
namespace {

using std::chrono::nanoseconds;

constexpr std::string_view marks = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t shown_roots = 8;

struct Item {
  const Sampled& target;
  nanoseconds period;
  std::uint64_t left_out;
  std::size_t width;
};

Value microseconds(const Item& item, nanoseconds kvm::RootHistory::Stays::*part) {
  const std::optional<kvm::RootHistory::Stays> stays = item.target.history.stays();
  if (!stays) return {};
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>((*stays).*part).count());
}

std::string timeline(const Item& item) {
  std::string text;
  for (const int number : item.target.history.timeline(item.width)) text += root_mark(number);
  return text;
}

const std::vector<Column>& root_columns() {
  using K = ColumnKind;
  static const std::vector<Column> columns = {
      {"mark", K::text, "the root's letter in the timeline"},
      {"pgd", K::hex, "the guest's CR3 (EPTP, nCR3) that it shadows"},
      {"hpa", K::hex, "host physical address of its table"},
      {"samples", K::count, "in which it was current"}};
  return columns;
}

Value roots_of(const Item& item) {
  Records roots;
  int number = 0;
  for (const kvm::RootHistory::Seen& seen : item.target.history.roots())
    roots.push_back({{root_mark(number++), seen.root.pgd ? Value{Hex(*seen.root.pgd)} : Value{},
                      Hex(seen.root.hpa), seen.samples}});
  return roots;
}

const std::vector<FieldOf<Item>>& fields() {
  using K = ColumnKind;
  using I = const Item&;
  static const std::vector<FieldOf<Item>> all = {
      {{"vm", K::count, "number of the VM"},
       [](I i) -> Value { return std::uint64_t{i.target.place.vm}; }},
      {{"vcpu", K::count, "vcpu_id"},
       [](I i) -> Value { return i.target.vcpu_id ? Value{*i.target.vcpu_id} : Value{}; }},
      {{"period_us", K::count, "from one sample to the next"},
       [](I i) -> Value {
         return static_cast<std::uint64_t>(
             std::chrono::duration_cast<std::chrono::microseconds>(i.period).count());
       }},
      {{"samples", K::count, "that were taken"},
       [](I i) -> Value { return i.target.history.counts().samples; }},
      {{"late", K::count, "samples left out because the one before took too long"},
       [](I i) -> Value { return i.left_out; }},
      {{"unreadable", K::count, "samples that could not be read"},
       [](I i) -> Value { return i.target.history.counts().lost; }},
      {{"rootless", K::count, "samples in which there was no current root"},
       [](I i) -> Value { return i.target.history.counts().rootless; }},
      {{"torn", K::count, "samples in the middle of a switch, which are compared with nothing"},
       [](I i) -> Value { return i.target.history.counts().torn; }},
      {{"roots", K::count, "distinct current roots"},
       [](I i) -> Value { return std::uint64_t{i.target.history.roots().size()}; }},
      {{"cr3s", K::count, "distinct values of the guest's CR3"},
       [](I i) -> Value { return std::uint64_t{i.target.history.cr3s()}; }},
      {{"changes", K::count, "another root than in the sample before"},
       [](I i) -> Value { return i.target.history.counts().changes; }},
      {{"known", K::count, "changes to a root that the sample before had in prev_roots"},
       [](I i) -> Value { return i.target.history.counts().known; }},
      {{"new", K::count, "changes to a root that it had not"},
       [](I i) -> Value { return i.target.history.counts().fresh; }},
      {{"stays", K::count, "stays of a root seen from start to end"},
       [](I i) -> Value {
         const auto stays = i.target.history.stays();
         return stays ? stays->count : 0;
       }},
      {{"stay_min_us", K::count, "the shortest, in whole periods"},
       [](I i) { return microseconds(i, &kvm::RootHistory::Stays::shortest); }},
      {{"stay_median_us", K::count, "half of them were no longer"},
       [](I i) { return microseconds(i, &kvm::RootHistory::Stays::median); }},
      {{"stay_max_us", K::count, "the longest"},
       [](I i) { return microseconds(i, &kvm::RootHistory::Stays::longest); }},
      {{"timeline", K::text, "one letter a root; * several, . none"},
       [](I i) -> Value { return timeline(i); }},
      {{"seen", K::records, "the roots, in the order in which they came", root_columns()},
       roots_of},
      {{"ended", K::text, "why sampling ended early; else null"},
       [](I i) -> Value { return i.target.ended.empty() ? Value{} : Value{i.target.ended}; }},
  };
  return all;
}

std::string stays_text(const RecordView& record) {
  if (record.number("stays") == 0) return "none was seen from its start to its end";
  return fmt::format("{} seen whole: shortest {}, median {}, longest {}", record.number("stays"),
                     time_text(record.number("stay_min_us")),
                     time_text(record.number("stay_median_us")),
                     time_text(record.number("stay_max_us")));
}

std::string roots_text(const RecordView& record) {
  std::string text;
  const Records& seen = record.records("seen");
  for (const Record& one : seen) {
    if (&one - seen.data() == shown_roots)
      return text + fmt::format("  … and {} more\n", seen.size() - shown_roots);
    const RecordView root(root_columns(), one);
    text += fmt::format("  {} {:<8} pgd {}  hpa {}\n", root.text("mark"), root.number("samples"),
                        root.text("pgd"), root.text("hpa"));
  }
  return text;
}

std::string block(const RecordView& record) {
  std::string text = fmt::format(
      "vCPU {}.{}: {} samples, one every {}{}{}{}{}\n", record.number("vm"), record.text("vcpu"),
      record.number("samples"), time_text(record.number("period_us")),
      record.number("late") != 0 ? fmt::format(", {} left out", record.number("late")) : "",
      record.number("unreadable") != 0 ? fmt::format(", {} unreadable", record.number("unreadable"))
                                       : "",
      record.number("torn") != 0 ? fmt::format(", {} torn", record.number("torn")) : "",
      record.is_null("ended") ? "" : ": " + record.text("ended"));
  text += fmt::format("  roots     {} ({} CR3s), {} changes: {} KNOWN, {} NEW\n",
                      record.number("roots"), record.number("cr3s"), record.number("changes"),
                      record.number("known"), record.number("new"));
  text += fmt::format("  stays     {}\n", stays_text(record));
  text += roots_text(record);
  return text + fmt::format("  timeline  {}\n", record.text("timeline"));
}

}  // namespace

std::string root_mark(int number) {
  if (number == kvm::RootHistory::nothing) return ".";
  if (number == kvm::RootHistory::several) return "*";
  const auto place = static_cast<std::size_t>(number);
  return std::string(1, place < marks.size() ? marks[place] : '?');
}

std::string time_text(std::uint64_t microseconds) {
  if (microseconds >= 1'000'000) return fmt::format("{:.3g} s", microseconds / 1e6);
  if (microseconds >= 1'000) return fmt::format("{:.3g} ms", microseconds / 1e3);
  return fmt::format("{} µs", microseconds);
}

Record sampled_record(const Sampled& sampled, nanoseconds period, std::uint64_t left_out,
                      std::size_t width) {
  return make_record(fields(), Item{sampled, period, left_out, width});
}

std::string what_is_torn(const Sampled& sampled) {
  const std::uint64_t torn = sampled.history.counts().torn;
  if (torn == 0) return "";
  return fmt::format(
      "{} of the samples were read in the middle of a switch; they are compared with nothing",
      torn);
}

Mode sampling_mode() {
  Mode mode{.option = "--hz", .columns = columns_of(fields()), .view = {.block = block}};
  mode.columns.push_back({truth_field, ColumnKind::text,
                          "torn: some samples show that they were read in the middle of a switch; "
                          "stable: none does"});
  return mode;
}

}  // namespace kvmscope
