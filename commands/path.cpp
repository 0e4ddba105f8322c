// path: the entries on the way from a root to one address.

#include "commands/catalogue.hpp"
#include "commands/entries.hpp"
#include "commands/guest_arguments.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "commands/targets.hpp"

namespace kvmscope {
namespace {

// The fields of `tree`, and where the walk ends.
std::vector<Column> columns() {
  std::vector<Column> all = columns_of(entry_fields());
  all.push_back({"hpa", ColumnKind::hex, "host physical address; null but in the last step"});
  return all;
}

std::string place_text(const RecordView& record) {
  return fmt::format("{}[{}]", record.text("level"), record.text("index"));
}

std::string target_text(const RecordView& record) {
  const std::string kind = record.text("kind");
  if (kind == "leaf")
    return fmt::format("pfn {}, {}", record.text("pfn"), size_text(record.number("level")));
  if (kind != "table") return "-";
  if (record.is_null("sp")) return "no shadow page";
  return fmt::format("{} gfn {}{}", record.text("sp"), record.text("gfn"),
                     record.flag("unsync") ? " unsync" : "");
}

// Why a guest write through this leaf would fault, in the order that a fault handler asks.
std::string write_verdict(const kvm::SpteFormat& format, std::uint64_t spte) {
  if (format.writable(spte)) return "writable";
  if ((spte & format.host_writable) == 0) return "not writable: host-writable is clear";
  if ((spte & format.mmu_writable) == 0) return "not writable: MMU-writable is clear";
  return "not writable now: write-protected for a while (dirty logging, or shadowed)";
}

// The last line: where the address leads.
std::string verdict(const kvm::Kvm& kvm, const NamedStart& root, std::uint64_t address,
                    const kvm::PathStep& last, const EntryItem& item) {
  const std::string from = fmt::format("{} {:#x}", kvm::name(root.tree.domain), address);
  const kvm::Entry& entry = last.entry;
  if (entry.kind != kvm::SpteKind::leaf)
    return fmt::format("{} is not mapped: {} at level {}", from, kvm::name(entry.kind),
                       entry.level);
  const kvm::SpteFormat& format = kvm.spte_format();
  const std::uint64_t offset = address & (kvm::leaf_size(entry.level) - 1);
  std::string text = from;
  if (root.tree.domain == kvm::Domain::gva && item.entry.parent != nullptr) {
    const std::uint64_t gpa = to_gpa(kvm.entry_gfn(*item.entry.parent, entry.index)).value + offset;
    text += fmt::format(" → gpa {:#x}", gpa);
  }
  return fmt::format("{} → hpa {:#x}   {}", text, format.target(entry.spte).value + offset,
                     write_verdict(format, entry.spte));
}

void show_steps(const kvm::Kvm& kvm, const NamedStart& root, std::uint64_t address, RowSink& rows) {
  if (root.tree.page) root_page_now(kvm, root);
  std::vector<kvm::PathStep> steps = kvm::walk_path(kvm, root.tree, address);
  for (kvm::PathStep& step : steps) {
    step.entry.parent = step.parent ? &*step.parent : nullptr;
    step.entry.parent_lost = step.parent_lost ? &*step.parent_lost : nullptr;
    step.entry.child = &step.child;
    step.entry.lost = step.lost ? &*step.lost : nullptr;
    const EntryItem item{kvm, step.entry, root.tree.domain};
    Record record = make_record(entry_fields(), item);
    Value hpa;
    if (step.entry.kind == kvm::SpteKind::leaf)
      hpa = Hex(kvm.spte_format().target(step.entry.spte) +
                (address & (kvm::leaf_size(step.entry.level) - 1)));
    record.values.push_back(hpa);
    if (step.lost) record.notes.emplace_back(step.lost->what());
    rows.add(std::move(record));
    if (&step == &steps.back() && step.entry.kind != kvm::SpteKind::table)
      rows.attempt([] { return std::string("the end of the path is not known"); },
                   [&] { rows.footer(verdict(kvm, root, address, step, item)); });
  }
}

void show_path(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const NamedStart root = find_root(kvm, *args.text("ROOT"), rows);
  const std::uint64_t address = parse_gpa(*args.text("ADDRESS")).value;
  if (kvm.kernel().steady() == nullptr) return show_steps(kvm, root, address, rows);
  steadily(kvm.kernel(), rows,
           {.make = [&](std::size_t) { show_steps(kvm, root, address, rows); },
            .what = [](std::size_t) { return std::string("the path is not known"); }});
}

}  // namespace

Command path() {
  return {
      .names = {"path"},
      .summary = "walk one address from a root, step by step",
      .details =
          "ADDRESS is of the tree's own domain: a guest virtual address for a root that "
          "shadows guest\npage tables, a guest physical one for a direct root.",
      .arguments = {root_argument(false),
                    {"ADDRESS", ArgumentKind::address, "a number, gpa:N or gfn:N"}},
      .columns = columns(),
      .view = {.table = {{"L[I]", Align::left, place_text},
                         column("SPTE ADDRESS", "spte_address"),
                         column("SPTE", "spte"),
                         {"PERM", Align::left, permission_text},
                         {"AD", Align::left, access_dirty_text},
                         {"HM", Align::left, writable_text},
                         column("KIND", "kind"),
                         {"TO", Align::left, target_text}}},
      .keys = {"level"},
      .examples = {"path 0.0.prev0 0x8000200000", "path 1.0 gfn:0x1000"},
      .run = show_path,
  };
}

}  // namespace kvmscope
