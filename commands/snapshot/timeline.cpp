// timeline: how roots and page counts went over a series of snapshots.

#include <algorithm>

#include "commands/catalogue.hpp"
#include "commands/sampled_roots.hpp"
#include "commands/shell/caught.hpp"
#include "commands/shell/session.hpp"
#include "commands/snapshot/series.hpp"

namespace kvmscope {
namespace {

using snapshots::Point;
using snapshots::Series;
using snapshots::VmSeries;

constexpr std::size_t shown_width = 40;

// A vCPU over the series; none: of a VM that never had one.
struct Item {
  const VmSeries& vm;
  std::optional<std::uint64_t> vcpu;
  const kvm::RootHistory* history;
};

Value of_history(const Item& item, std::uint64_t kvm::RootHistory::Counts::*count) {
  return item.history != nullptr ? Value{item.history->counts().*count} : Value{};
}

template <typename Better>
Value best_pages(const Item& item, Better better) {
  std::optional<std::uint64_t> best;
  for (const auto& pages : item.vm.pages)
    if (pages && (!best || better(*pages, *best))) best = pages;
  return number_or_null(best);
}

Value root_letters(const Item& item) {
  std::string text;
  if (item.history == nullptr) return {};
  for (const int number : item.history->timeline(shown_width)) text += root_mark(number);
  return text;
}

const std::vector<FieldOf<Item>>& fields() {
  using K = ColumnKind;
  using I = const Item&;
  using Counts = kvm::RootHistory::Counts;
  static const std::vector<FieldOf<Item>> all = {
      {{"vm", K::text, "id of the VM"}, [](I i) -> Value { return i.vm.id; }},
      {{"vcpu", K::count, "vcpu_id"}, [](I i) { return number_or_null(i.vcpu); }},
      {{"first", K::text, "when the VM was first seen, UTC"},
       [](I i) -> Value { return i.vm.first; }},
      {{"last", K::text, "when it was last seen, UTC"}, [](I i) -> Value { return i.vm.last; }},
      {{"snapshots", K::count, "that have the vCPU's roots"},
       [](I i) { return of_history(i, &Counts::samples); }},
      {{"unreadable", K::count, "snapshots in which they could not be read"},
       [](I i) { return of_history(i, &Counts::lost); }},
      {{"roots", K::count, "distinct current roots"},
       [](I i) -> Value {
         return i.history != nullptr ? Value{std::uint64_t{i.history->roots().size()}} : Value{};
       }},
      {{"changes", K::count, "another root than in the snapshot before"},
       [](I i) { return of_history(i, &Counts::changes); }},
      {{"known", K::count, "changes to a root that the one before had in prev_roots"},
       [](I i) { return of_history(i, &Counts::known); }},
      {{"new", K::count, "changes to a root that it had not"},
       [](I i) { return of_history(i, &Counts::fresh); }},
      {{"timeline", K::text, "one letter a root; * several, . none"}, root_letters},
      {{"pages_min", K::count, "shadow pages of the VM, and of its TDP MMU: the fewest"},
       [](I i) { return best_pages(i, std::less<>()); }},
      {{"pages_max", K::count, "the most"}, [](I i) { return best_pages(i, std::greater<>()); }},
      {{"pages_last", K::count, "in the last snapshot that has it"},
       [](I i) { return number_or_null(i.vm.pages.empty() ? std::nullopt : i.vm.pages.back()); }},
      {{"bytes_last", K::count, "that the tables took then"},
       [](I i) { return number_or_null(i.vm.bytes); }},
      {{"unsync_last", K::count, "unsync pages then"},
       [](I i) { return number_or_null(i.vm.unsync); }},
      {{"sparkline", K::text, "the pages as bars, from 0 to the most"},
       [](I i) -> Value { return snapshots::sparkline(i.vm.pages, shown_width); }},
  };
  return all;
}

const std::vector<Column>& point_columns() {
  using K = ColumnKind;
  static const std::vector<Column> all = {
      {"time", K::text, "of the snapshot, UTC"},
      {"file", K::text, "as it was named"},
      {"vm", K::text, "id of the VM"},
      {"vcpu", K::count, "vcpu_id; null for a VM that has none"},
      {"hpa", K::hex, "of the current root's table"},
      {"pgd", K::hex, "that it shadows"},
      {"pages", K::count, "shadow pages of the VM, and of its TDP MMU"},
      {"bytes", K::count, "that their tables take"},
      {"unsync", K::count, "unsync pages"}};
  return all;
}

void show_point(const Point& point, RowSink& rows) {
  const auto show = [&](const std::string& id, const Point::Vm& vm, Value vcpu,
                        const kvm::RootSlot* root) {
    const bool valid = root != nullptr && root->valid();
    rows.add({{point.time, point.file, id, std::move(vcpu), valid ? Value{Hex(root->hpa)} : Value{},
               valid ? hex_or_null(root->pgd) : Value{}, number_or_null(vm.pages),
               number_or_null(vm.bytes), number_or_null(vm.unsync)}});
  };
  for (const auto& [id, vm] : point.vms) {
    if (vm.vcpus.empty()) show(id, vm, {}, nullptr);
    for (const auto& [vcpu_id, vcpu] : vm.vcpus)
      show(id, vm, vcpu_id, vcpu.readable ? &vcpu.sample.current : nullptr);
  }
}

// One snapshot that cannot be read is not the end of a series.
std::optional<Point> point_of(Session& session, const std::string& path, RowSink& rows) {
  std::optional<Point> point;
  const std::optional<Error> failure = caught([&] {
    snapshots::Source source(session.files_ahead().read(path), path);
    point = snapshots::read_point(source);
  });
  if (!failure) return point;
  if (failure->kind() != ErrorKind::unavailable) throw Error(*failure);
  rows.note(failure->what());
  rows.set_status(exit_status(ErrorKind::fault));
  return std::nullopt;
}

void show_series(const Series& series, RowSink& rows) {
  for (const VmSeries& vm : series.vms()) {
    if (vm.vcpus.empty()) rows.add(make_record(fields(), Item{vm, std::nullopt, nullptr}));
    for (const auto& [vcpu, history] : vm.vcpus)
      rows.add(make_record(fields(), Item{vm, vcpu, &history}));
  }
}

void show_timeline(Session& session, const Arguments& args, RowSink& rows) {
  const bool points = args.has("--points");
  Series series;
  const std::vector<std::string> paths = args.all("FILE");
  std::string before;
  for (const std::string& path : paths) {
    session.progress(fmt::format("{} of {} snapshots", series.size(), paths.size()));
    const std::optional<Point> point = point_of(session, path, rows);
    if (!point) continue;
    if (point->time < before)
      rows.note(fmt::format("{} is older than the one before it: name them in order", path));
    before = point->time;
    series.add(*point);
    if (points) show_point(*point, rows);
  }
  if (series.size() == 0)
    throw Error(ErrorKind::unavailable, "none of the files is a snapshot that can be read");
  if (!points) show_series(series, rows);
}

void open_files_ahead(Session& session, const Arguments& args) {
  for (const std::string& path : args.all("FILE")) session.files_ahead().read_later(path);
}

}  // namespace

Command timeline() {
  return {
      .names = {"timeline"},
      .summary = "show how roots and page counts went over a series of snapshots",
      .details =
          "One record a vCPU: how often its current root changed from one snapshot to the next, "
          "with a letter\na root, and how many pages its VM had. --points: one record a snapshot "
          "and vCPU instead, for\nother programs to draw. A file that cannot be read is noted "
          "(status 4).",
      .needs = Needs::nothing,
      .open_ahead = open_files_ahead,
      .arguments = {{"FILE", ArgumentKind::data_file, "the snapshots, in order of time", false,
                     true}},
      .options = {{"--points", "", ArgumentKind::text, "one record a snapshot and vCPU"}},
      .columns = columns_of(fields()),
      .view = {.table = {column("VM", "vm"), number_column("VCPU", "vcpu"),
                         number_column("SNAPSHOTS", "snapshots"), number_column("ROOTS", "roots"),
                         number_column("CHANGES", "changes"), number_column("KNOWN", "known"),
                         number_column("NEW", "new"), column("ROOT", "timeline"),
                         number_column("PAGES", "pages_last"), number_column("MAX", "pages_max"),
                         column("PAGES OVER TIME", "sparkline")}},
      .modes = {{.option = "--points", .columns = point_columns()}},
      .keys = {"vm", "vcpu"},
      .examples = {"timeline series/*.json.zst", "timeline series/*.json --points -f csv"},
      .run = show_timeline,
  };
}

}  // namespace kvmscope
