// unsync: what mmu_unsync_walk collects below a root, and the path at each step of for_each_sp.

#include "core/kvm/unsync.hpp"

#include <set>

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"

namespace kvmscope {
namespace {

const std::vector<Column>& page_columns() {
  using K = ColumnKind;
  static const std::vector<Column> columns = {
      {"sp", K::hex, "shadow page"},
      {"level", K::count, "its level"},
      {"gfn", K::hex, "guest frame of the table that it shadows"},
      {"idx", K::number, "entry that leads on: in its parent for pages, in itself for parents"}};
  return columns;
}

const std::vector<Column>& columns() {
  using K = ColumnKind;
  static const std::vector<Column> all = {
      {"vm", K::count, "number of the VM; null below a page that no root leads to"},
      {"root_sp", K::hex, "shadow page of the root"},
      {"name", K::text, "ROOT"},
      {"batch", K::count, "number of the walk, from 0"},
      {"pages", K::records, "struct kvm_mmu_pages: at most 16, idx -1 for the root",
       page_columns()},
      {"steps",
       K::records,
       "for_each_sp: one per level-1 page",
       {{"at", K::count, "its place in pages"},
        {"sp", K::hex, "shadow page"},
        {"parents", K::records, "struct mmu_page_path, from the leaf's parent up",
         page_columns()}}}};
  return all;
}

Records page_records(const std::vector<kvm::UnsyncPage>& pages) {
  Records records;
  for (const kvm::UnsyncPage& page : pages)
    records.push_back({{Hex(page.sp), std::uint64_t{page.level}, Hex(page.gfn), page.idx}});
  return records;
}

Record batch_record(const NamedStart& root, std::uint64_t number, kvm::UnsyncBatch batch) {
  Records steps;
  for (const kvm::UnsyncStep& step : batch.steps)
    steps.push_back({{step.at, Hex(step.sp), page_records(step.parents)}});
  return {{root.vm ? Value{std::uint64_t{*root.vm}} : Value{}, Hex(root.tree.page->address),
           root.name, number, page_records(batch.pages), std::move(steps)},
          std::move(batch.notes)};
}

std::string number_row(const char* title, const RecordView& batch, std::size_t width,
                       std::string (*cell)(const RecordView&, std::size_t)) {
  std::string line = title;
  const Records& pages = batch.records("pages");
  for (std::size_t i = 0; i < pages.size(); ++i)
    line += fmt::format(" {:>{}}", cell(RecordView(page_columns(), pages[i]), i), width);
  return line + "\n";
}

std::string step_lines(const RecordView& batch) {
  const Records& pages = batch.records("pages");
  const std::vector<Column>& step_columns = columns().back().nested;
  std::string text;
  std::size_t number = 0;
  for (const Record& record : batch.records("steps")) {
    const RecordView step(step_columns, record);
    const RecordView leaf(page_columns(), pages[step.number("at")]);
    text += fmt::format("Step {}: sp [{}] {} gfn {}   parents:", ++number, step.text("at"),
                        step.text("sp"), leaf.text("gfn"));
    bool first = true;
    for (const Record& above : step.records("parents")) {
      const RecordView parent(page_columns(), above);
      text += fmt::format("{}{} {}[{}]", first ? " " : "  ", parent.text("level"),
                          parent.text("gfn"), parent.text("idx"));
      first = false;
    }
    text += "\n";
  }
  return text;
}

// The three rows and the steps, as DESIGN draws them.
std::string block(const RecordView& batch) {
  const Records& pages = batch.records("pages");
  const RecordView root(page_columns(), pages.front());
  std::size_t width = 2;
  for (const Record& page : pages)
    width = std::max(width, RecordView(page_columns(), page).text("idx").size());
  std::string text =
      fmt::format("Pages after mmu_unsync_walk of root {} ({}, gfn {}), batch {}: {} of {}\n",
                  batch.text("root_sp"), batch.text("name"), root.text("gfn"), batch.text("batch"),
                  pages.size(), kvm::UnsyncReplay::batch_size);
  text += number_row("SP index: ", batch, width,
                     [](const RecordView&, std::size_t i) { return fmt::format("{}", i); });
  text += number_row("SP level: ", batch, width,
                     [](const RecordView& page, std::size_t) { return page.text("level"); });
  text += number_row("SP entry: ", batch, width,
                     [](const RecordView& page, std::size_t) { return page.text("idx"); });
  return text + step_lines(batch);
}

void replay_root(const kvm::Kvm& kvm, const NamedStart& root, RowSink& rows) {
  rows.attempt([&] { return fmt::format("the replay of root {} ends here", root.name); },
               [&] {
                 kvm::UnsyncReplay replay(kvm, *root.tree.page);
                 for (std::uint64_t number = 0;
                      std::optional<kvm::UnsyncBatch> batch = replay.next(); ++number)
                   rows.add(batch_record(root, number, std::move(*batch)));
               });
}

void replay(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  if (const std::optional<std::string> text = args.text("ROOT")) {
    const NamedStart root = find_root(kvm, *text, rows);
    if (!root.tree.page)
      throw_error(ErrorKind::usage,
                  "root {} has no shadow page of its own: the walk starts at its entries, {}.pae0 "
                  "to {}.pae3",
                  root.name, root.name, root.name);
    if (root.tree.page->unsync_children == 0)
      rows.note(fmt::format("root {} has no unsync children", root.name));
    replay_root(kvm, root, rows);
    return;
  }
  for (const NamedStart& root : all_roots(kvm, rows))
    if (root.tree.page) replay_root(kvm, root, rows);
}

}  // namespace

Command unsync() {
  return {
      .names = {"unsync"},
      .summary = "replay mmu_unsync_walk and for_each_sp on copies",
      .details =
          "Each batch is what one mmu_unsync_walk() puts into struct kvm_mmu_pages, at most 16 "
          "pages;\neach step shows the page that for_each_sp() yields and the path that struct "
          "mmu_page_path\nholds then: level gfn[entry taken], from the leaf's parent up to the "
          "root. After a batch its\npages count as synced, and the walk starts again, as in "
          "mmu_sync_children().",
      .arguments = {root_argument(true)},
      .columns = columns(),
      .view = {.block = block},
      .examples = {"unsync", "unsync 0.0.prev0", "unsync 2.0.pae1 -f json"},
      .run = replay,
  };
}

}  // namespace kvmscope
