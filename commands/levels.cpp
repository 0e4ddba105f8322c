// levels: how many tables and leaves each tree has, level by level.

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"
#include "core/kvm/level_counter.hpp"

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

void count_levels(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  std::vector<NamedStart> roots;
  if (const std::optional<std::string> text = args.text("ROOT"))
    roots.push_back(find_root(kvm, *text, rows));
  else
    roots = all_roots(kvm, rows);
  kvm::LevelCounter counter(kvm, [&](const Error& error) {
    rows.note(fmt::format("the entries of a table are not counted: {}", error.what()));
    rows.set_status(exit_status(error.kind()));
  });
  for (const NamedStart& root : roots) {
    session.progress(fmt::format("counting root {}", root.name));
    rows.attempt([&] { return fmt::format("root {} is not counted", root.name); },
                 [&] {
                   const kvm::LevelCounts counts = counter.count(root.tree);
                   for (unsigned level = root.tree.level; level >= 1; --level) {
                     const bool empty = counts.tables[level] == 0 && counts.leaves[level] == 0;
                     // An empty root still has the row of its own level.
                     if (empty && level != root.tree.level) continue;
                     rows.add(make_record(fields(), Item{root, counts, level}));
                   }
                 });
  }
}

}  // namespace

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
      .run = count_levels,
  };
}

}  // namespace kvmscope
