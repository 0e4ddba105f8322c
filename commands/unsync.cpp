// unsync: what mmu_unsync_walk collects below a root, and the path at each step of for_each_sp.

#include "core/kvm/unsync.hpp"

#include <set>

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "commands/targets.hpp"
#include "commands/unsync_view.hpp"

namespace kvmscope {
namespace {

const std::vector<Column>& columns() {
  using K = ColumnKind;
  static const std::vector<Column> all = {
      {"vm", K::count, "number of the VM; null below a page that no root leads to"},
      {"root_sp", K::hex, "shadow page of the root"},
      {"name", K::text, "ROOT"},
      {"batch", K::count, "number of the walk, from 0"},
      unsync_pages_column(),
      unsync_steps_column()};
  return all;
}

Record batch_record(const NamedStart& root, std::uint64_t number, kvm::UnsyncBatch batch) {
  Records steps;
  for (const kvm::UnsyncStep& step : batch.steps)
    steps.push_back({{step.at, Hex(step.sp), unsync_page_records(step.parents)}});
  return {{root.vm ? Value{std::uint64_t{*root.vm}} : Value{}, Hex(root.tree.page->address),
           root.name, number, unsync_page_records(batch.pages), std::move(steps)},
          std::move(batch.notes)};
}

// The title, three rows and the steps, as DESIGN draws them.
std::string block(const RecordView& batch) {
  const RecordView root(unsync_page_columns(), batch.records("pages").front());
  return fmt::format("Pages after mmu_unsync_walk of root {} ({}, gfn {}), batch {}: {} of {}\n",
                     batch.text("root_sp"), batch.text("name"), root.text("gfn"),
                     batch.text("batch"), batch.records("pages").size(),
                     kvm::UnsyncReplay::batch_size) +
         unsync_rows(batch);
}

void replay_root(const kvm::Kvm& kvm, const NamedStart& root, RowSink& rows) {
  const auto make = [&](std::size_t) {
    const kvm::ShadowPage page = root_page_now(kvm, root);
    kvm::UnsyncReplay replay(kvm, page);
    for (std::uint64_t number = 0; std::optional<kvm::UnsyncBatch> batch = replay.next(); ++number)
      rows.add(batch_record(root, number, std::move(*batch)));
  };
  steadily(kvm.kernel(), rows, {.make = make, .what = [&](std::size_t) {
                                  return fmt::format("the replay of root {} ends here", root.name);
                                }});
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
      .keys = {"name", "batch"},
      .examples = {"unsync", "unsync 0.0.prev0", "unsync 2.0.pae1 -f json"},
      .run = replay,
  };
}

}  // namespace kvmscope
