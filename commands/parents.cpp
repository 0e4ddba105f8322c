// parents: the entries that point to a shadow page, and what is above them up to roots.

#include "commands/catalogue.hpp"
#include "commands/root_names.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"

namespace kvmscope {
namespace {

struct Item {
  const kvm::Ancestor& of;
  const kvm::RootNames& names;

  // Throws when the entry's page is not known.
  const kvm::ShadowPage& page() const {
    if (of.lost != nullptr) throw Error(*of.lost);
    return *of.page;
  }
  bool has_entry() const { return of.child != nullptr; }
};

Value roots_of(const Item& item) {
  const auto found = item.names.find(item.page().address);
  return found != item.names.end() ? found->second : Words{};
}

const std::vector<FieldOf<Item>>& fields() {
  using K = ColumnKind;
  static const std::vector<FieldOf<Item>> all = {
      {{"depth", K::count, "entries between it and the page that was asked for"},
       [](const Item& i) -> Value { return std::uint64_t{i.of.depth}; }},
      {{"sp", K::hex, "shadow page"}, [](const Item& i) -> Value { return Hex(i.page().address); }},
      {{"level", K::count, "of its entries"},
       [](const Item& i) -> Value { return std::uint64_t{i.page().level()}; }},
      {{"gfn", K::hex, "first frame that it maps (direct), or frame of the table that it shadows"},
       [](const Item& i) -> Value { return Hex(i.page().gfn); }},
      {{"index", K::count, "of the entry in it that leads down; null in the first record"},
       [](const Item& i) -> Value {
         i.page();
         return i.has_entry() ? Value{std::uint64_t{i.of.index}} : Value{};
       }},
      {{"spte", K::hex, "that entry"},
       [](const Item& i) -> Value {
         i.page();
         return i.has_entry() ? Value{Hex(i.of.spte)} : Value{};
       }},
      {{"spte_address", K::hex, "where it stands"},
       [](const Item& i) -> Value {
         return i.has_entry() ? Value{Hex(i.of.spte_address)} : Value{};
       }},
      {{"child_sp", K::hex, "shadow page that it leads to"},
       [](const Item& i) -> Value {
         return i.has_entry() ? Value{Hex(i.of.child->address)} : Value{};
       }},
      {{"roots", K::words, "root slots that hold the page"}, roots_of},
      {{"root_count", K::number, "references as a root"},
       [](const Item& i) -> Value { return i.page().root_count; }},
      {{"direct", K::flag, "maps guest physical memory, shadows no table"},
       [](const Item& i) -> Value { return i.page().role.direct; }},
      {{"unsync", K::flag, "the guest may write its table without KVM's knowledge"},
       [](const Item& i) -> Value { return i.page().unsync; }},
      {{"unsync_children", K::count, "entries with something unsync below"},
       [](const Item& i) -> Value { return i.page().unsync_children; }},
      {{"invalid", K::flag, "zapped, waits for its last reference"},
       [](const Item& i) -> Value { return i.page().role.invalid; }},
      {{"tdp_mmu", K::flag, "of the TDP MMU"},
       [](const Item& i) -> Value { return i.page().tdp_mmu; }},
      {{"repeated", K::flag, "what is above it came before, with the same page"},
       [](const Item& i) -> Value { return i.of.repeated; }},
  };
  return all;
}

std::string place_text(const RecordView& record) {
  if (record.is_lost("level")) return "?";
  if (record.is_null("index")) return fmt::format("L{}", record.text("level"));
  return fmt::format("L{}[{}]", record.text("level"), record.text("index"));
}

std::string state_text(const RecordView& record) {
  if (std::string loss = loss_text(record); !loss.empty()) return loss;
  Words words;
  for (const std::string& root : record.words("roots")) words.push_back("root " + root);
  for (const std::string_view flag : {"direct", "unsync", "invalid", "tdp_mmu"})
    if (record.flag(flag)) words.emplace_back(flag);
  if (record.number("unsync_children") != 0)
    words.push_back(fmt::format("kids {}", record.text("unsync_children")));
  if (record.flag("repeated")) words.emplace_back("as above");
  return words.empty() ? "-" : fmt::format("{}", fmt::join(words, ", "));
}

// A node of a graph, in which a page is drawn once.
std::string page_text(const RecordView& record) {
  if (std::string loss = loss_text(record); !loss.empty()) return loss;
  const std::string state = state_text(record);
  return fmt::format("L{} {}\ngfn {}{}{}", record.text("level"), record.text("sp"),
                     record.text("gfn"), state == "-" ? "" : "\n", state == "-" ? "" : state);
}

// A page that has no place to be found from, though some entry may lead to it.
void say_what_is_not_kept(const kvm::Kvm& kvm, const kvm::ShadowPage& page, RowSink& rows) {
  if (page.tdp_mmu && !kvm.layout().page().ptep.present())
    rows.note("this kernel keeps no parents of TDP MMU pages: see `tree` of their roots");
}

void show(const kvm::Kvm& kvm, const NamedStart& root, std::uint64_t most,
          const kvm::RootNames& names, RowSink& rows) {
  const auto visit = [&](const kvm::Ancestor& ancestor) {
    Record record = make_record(fields(), Item{ancestor, names});
    if (ancestor.above_lost != nullptr) record.notes.emplace_back(ancestor.above_lost->what());
    rows.add(std::move(record), ancestor.last);
  };
  const kvm::ShadowPage page = root_page_now(kvm, root);
  rows.attempt(
      [] { return std::string("parents may be missing"); },
      [&] {
        kvm::walk_ancestors(
            kvm, page, most,
            {.visit = visit, .enter = [&] { rows.enter(); }, .leave = [&] { rows.leave(); }});
      });
  say_what_is_not_kept(kvm, page, rows);
}

void show_parents(Session& session, const Arguments& args, RowSink& rows) {
  constexpr std::uint64_t default_most = 1'000'000;
  const kvm::Kvm& kvm = session.kvm();
  const std::string text = *args.text("SP");
  const NamedStart root = find_root(kvm, text, rows);
  if (!root.tree.page)
    throw_error(ErrorKind::usage, "{} is a table without a shadow page: nothing points to it",
                text);
  const kvm::RootNames names = root_names(kvm, all_vms(kvm, rows), rows);
  const std::uint64_t most = args.number("--max-entries").value_or(default_most);
  steadily(kvm.kernel(), rows,
           {.make = [&](std::size_t) { show(kvm, root, most, names, rows); },
            .what = [](std::size_t) { return std::string("the parents are not known"); }});
}

}  // namespace

Command parents() {
  const std::vector<TableColumn> columns = {
      {"ENTRY", Align::left, place_text}, known_column("SP", "sp"),
      known_column("GFN", "gfn"),         column("SPTE ADDRESS", "spte_address"),
      known_column("SPTE", "spte"),       {"STATE", Align::left, state_text}};
  return {
      .names = {"parents"},
      .summary = "show the entries that point to a shadow page, up to its roots",
      .details =
          "The first record is the page itself. Nested with -f tree and -f dot; the other formats\n"
          "are flat, depth says how far above. A page that is met again is shown with what is\n"
          "above it left out (repeated); a graph has it once.",
      .arguments = {{"SP", ArgumentKind::root, "a shadow page's address, or a ROOT"}},
      .options = {{"--max-entries", "N", ArgumentKind::number, "stop after so many (1 million)"}},
      .columns = columns_of(fields()),
      .view = {.table = columns,
               .tree = columns,
               .dot = {.label = page_text,
                       .node =
                           [](const RecordView& record) {
                             return record.is_lost("sp") ? "" : record.text("sp");
                           },
                       .edge =
                           [](const RecordView& record) {
                             return fmt::format("[{}]", record.text("index"));
                           },
                       .upwards = true}},
      .keys = {"spte_address", "sp"},
      .examples = {"parents 0xffff8b1e0495b398 -f tree", "parents ffff8b1e0495b398 -f dot"},
      .run = show_parents,
  };
}

}  // namespace kvmscope
