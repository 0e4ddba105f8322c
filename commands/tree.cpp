// tree: every non-empty entry below a root, in walk order.

#include "commands/catalogue.hpp"
#include "commands/entries.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"

namespace kvmscope {
namespace {

std::string flags_text(const RecordView& record) {
  return fmt::format("{} {} {}", permission_text(record), access_dirty_text(record),
                     writable_text(record));
}

// What the entry leads to: "gfn 0x116  kids 1", "gfn 0x21 → pfn 0xaa1a".
std::string target_text(const RecordView& record) {
  const std::string kind = record.text("kind");
  if (kind == "table") {
    if (record.is_null("sp")) return "no shadow page";
    std::string text = fmt::format("gfn {}", record.text("gfn"));
    if (record.flag("unsync")) text += "  unsync";
    if (record.number("kids") != 0) text += fmt::format("  kids {}", record.text("kids"));
    return text;
  }
  if (kind != "leaf") return kind;
  const std::string size =
      record.number("level") > 1 ? fmt::format(", {}", size_text(record.number("level"))) : "";
  return fmt::format("gfn {} → pfn {}{}", record.text("gfn"), record.text("pfn"), size);
}

std::string place_text(const RecordView& record) {
  return fmt::format("L{}[{}]", record.text("level"), record.text("index"));
}

kvm::TreeLimits limits_of(const Arguments& args) {
  kvm::TreeLimits limits;
  if (const auto depth = args.number("--depth")) limits.depth = static_cast<unsigned>(*depth);
  if (const auto level = args.number("--level")) limits.level = static_cast<unsigned>(*level);
  if (const auto most = args.number("--max-entries")) limits.max_entries = *most;
  const std::optional<std::string> range = args.option("--range");
  if (!range) return limits;
  const std::size_t split = range->find_first_of("-+", 1);
  if (split == std::string::npos)
    throw_error(ErrorKind::usage, "'{}' is not a range: START-END or START+SIZE", *range);
  limits.first = parse_number(std::string_view(*range).substr(0, split));
  const std::uint64_t end = parse_number(std::string_view(*range).substr(split + 1));
  limits.last = (*range)[split] == '+' ? limits.first + end - 1 : end;
  if (limits.last < limits.first)
    throw_error(ErrorKind::usage, "the range '{}' ends before it starts", *range);
  return limits;
}

void show_tree(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const NamedStart root = find_root(kvm, *args.text("ROOT"), rows);
  std::uint64_t shown = 0;
  const auto show = [&](const kvm::Entry& entry, bool last) {
    if (++shown % 4096 == 0) session.progress(fmt::format("{} entries", shown));
    Record record = make_record(entry_fields(), EntryItem{kvm, entry, root.tree.domain});
    if (entry.lost != nullptr) record.notes.emplace_back(entry.lost->what());
    rows.add_checked(std::move(record), last, entry.torn);
  };
  rows.attempt(
      [] { return std::string("the tree is incomplete"); },
      [&] {
        kvm::walk_tree(
            kvm, root.tree, limits_of(args),
            {.visit = show, .enter = [&] { rows.enter(); }, .leave = [&] { rows.leave(); }});
      });
}

}  // namespace

Command tree() {
  const std::vector<TableColumn> columns = {{"ENTRY", Align::left, place_text},
                                            column("ADDRESS", "address"),
                                            column("SPTE", "spte"),
                                            {"FLAGS", Align::left, flags_text},
                                            {"TO", Align::left, target_text}};
  return {
      .names = {"tree"},
      .summary = "show every non-empty entry below a root",
      .details =
          "Nested with -f tree and -f dot; the other formats are flat, depth says how deep. "
          "FLAGS are\npermissions, Accessed and Dirty, Host- and MMU-writable, by this "
          "kernel's own masks.",
      .arguments = {root_argument(false)},
      .options = {{"--depth", "N", ArgumentKind::number, "only entries down to this depth"},
                  {"--level", "N", ArgumentKind::number, "only entries of this level"},
                  {"--range", "START-END", ArgumentKind::range,
                   "only entries that map some of these addresses (START+SIZE works, too)"},
                  {"--max-entries", "N", ArgumentKind::number, "stop after so many (10 million)"}},
      .columns = columns_of(entry_fields()),
      .view = {.table = columns,
               .tree = columns,
               .dot = {.label =
                           [](const RecordView& record) {
                             return fmt::format("{} {}\n{}\n{}", place_text(record),
                                                record.text("address"), flags_text(record),
                                                target_text(record));
                           }}},
      .keys = {"spte_address"},
      .examples = {"tree 0.0 -f tree", "tree 0.0.prev0 --level 1", "tree 1.0 --depth 2 -f dot"},
      .run = show_tree,
  };
}

}  // namespace kvmscope
