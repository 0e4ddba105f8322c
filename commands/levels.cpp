// levels: how many tables and leaves each tree has, level by level.

#include "commands/levels.hpp"

#include "commands/catalogue.hpp"
#include "core/kvm/level_counter.hpp"
#include "core/memory/settle.hpp"

namespace kvmscope {
namespace {

struct Item {
  const NamedStart& root;
  const kvm::LevelCounts& counts;
  unsigned level;
};

const std::vector<FieldOf<Item>>& fields() {
  using K = ColumnKind;
  static const std::vector<FieldOf<Item>> all = {
      {{"vm", K::count, "number of the VM; null below a page that no root leads to"},
       [](const Item& i) -> Value {
         return i.root.vm ? Value{std::uint64_t{*i.root.vm}} : Value{};
       }},
      {{"root_sp", K::hex, "shadow page of the root; null for a PAE table"},
       [](const Item& i) -> Value {
         return i.root.tree.page ? Value{Hex(i.root.tree.page->address)} : Value{};
       }},
      {{"name", K::text, "ROOT"}, [](const Item& i) -> Value { return i.root.name; }},
      {{"level", K::count, "of the entries"},
       [](const Item& i) -> Value { return std::uint64_t{i.level}; }},
      {{"tables", K::count, "present entries that point to a table"},
       [](const Item& i) -> Value { return i.counts.tables[i.level]; }},
      {{"leaves", K::count, "present entries that map memory"},
       [](const Item& i) -> Value { return i.counts.leaves[i.level]; }},
      {{"bytes", K::count, "that the leaves map"},
       [](const Item& i) -> Value { return i.counts.leaves[i.level] * kvm::leaf_size(i.level); }},
  };
  return all;
}

// The counts of one root, the levels of which they are those of one moment, and what was met.
struct Counted {
  kvm::LevelCounts counts;
  std::vector<Error> lost;
  unsigned torn_level = 0;  // counts of this level and below changed while they were made
  std::string change;
};

// On a kernel that runs a tree is walked until two walks in a row find the same tables, or often
// enough. Then all of them were so at the moment between the two.
Counted count_steadily(const kvm::Kvm& kvm, const NamedStart& root) {
  const auto count = [&] {
    Counted counted;
    kvm::LevelCounter counter(kvm, [&](const Error& error) { counted.lost.push_back(error); });
    Recording recording(kvm.kernel().steady());
    if (root.tree.page) kvm.use_identity(*root.tree.page);
    counted.counts = counter.count(root.tree);
    counted.change = recording.change();
    if (!counted.change.empty()) counted.torn_level = root.tree.level;
    return counted;
  };
  Counted last = count();
  for (unsigned attempt = 1; attempt < most_attempts; ++attempt) {
    Counted next = count();
    for (unsigned level = root.tree.level; level >= 1 && next.torn_level == 0; --level)
      if (next.counts.shape[level] != last.counts.shape[level]) {
        next.torn_level = level;
        next.change = fmt::format("entries of level {} changed while they were counted", level);
      }
    if (next.torn_level == 0 && next.lost.size() != last.lost.size()) {
      next.torn_level = root.tree.level;
      next.change = "it read differently each time";
    }
    last = std::move(next);
    if (last.torn_level == 0) break;
  }
  return last;
}

void add_rows(const NamedStart& root, const Counted& counted, RowSink& rows) {
  for (unsigned level = root.tree.level; level >= 1; --level) {
    const kvm::LevelCounts& counts = counted.counts;
    const bool empty = counts.tables[level] == 0 && counts.leaves[level] == 0;
    // An empty root still has the row of its own level.
    if (empty && level != root.tree.level) continue;
    rows.add_checked(make_record(fields(), Item{root, counts, level}), std::nullopt,
                     level <= counted.torn_level ? counted.change : "");
  }
}

std::vector<NamedStart> wanted_roots(const kvm::Kvm& kvm, const Arguments& args, RowSink& rows) {
  if (const std::optional<std::string> text = args.text("ROOT"))
    return {find_root(kvm, *text, rows)};
  return all_roots(kvm, rows);
}

void run_levels(Session& session, const Arguments& args, RowSink& rows) {
  count_levels(session, wanted_roots(session.kvm(), args, rows), rows);
}

}  // namespace

std::vector<Column> level_columns() {
  return columns_of(fields());
}

void count_levels(Session& session, const std::vector<NamedStart>& roots, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const bool live = kvm.kernel().steady() != nullptr;
  const auto lost = [&](const Error& error, bool torn) {
    rows.note(fmt::format("the entries of a table are not counted: {}", error.what()));
    if (!torn) rows.set_status(exit_status(error.kind()));
  };
  // In a dump one counter serves all roots: tables that they share are counted once.
  kvm::LevelCounter counter(kvm, [&](const Error& error) { lost(error, false); });
  for (const NamedStart& root : roots) {
    session.progress(fmt::format("counting root {}", root.name));
    rows.attempt([&] { return fmt::format("root {} is not counted", root.name); },
                 [&] {
                   Counted counted;
                   if (live)
                     counted = count_steadily(kvm, root);
                   else
                     counted.counts = counter.count(root.tree);
                   for (const Error& error : counted.lost) lost(error, counted.torn_level != 0);
                   add_rows(root, counted, rows);
                 });
  }
}

Command levels() {
  return {
      .names = {"levels"},
      .summary = "count the tables and leaves of each tree, level by level",
      .details =
          "Counted by path: a shared table counts once per parent, as the hardware would see "
          "it.",
      .arguments = {root_argument(true)},
      .columns = columns_of(fields()),
      .view = {.table = {column("ROOT", "name"), column("ROOT SP", "root_sp"), column("L", "level"),
                         number_column("TABLES", "tables"), number_column("LEAVES", "leaves"),
                         number_column("BYTES", "bytes")}},
      .keys = {"name", "level"},
      .examples = {"levels", "levels 0.0", "levels 0.0.prev1 -f json"},
      .run = run_levels,
  };
}

}  // namespace kvmscope
