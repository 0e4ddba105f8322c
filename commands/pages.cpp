// pages: the shadow pages of each VM, and with --tdp those of the TDP MMU.

#include <array>

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"

namespace kvmscope {
namespace {

// One page, read when a field is first asked for; a page that cannot be read keeps its row.
class Item {
 public:
  Item(const kvm::Kvm& kvm, const kvm::Vm& vm, VirtAddr address)
      : kvm(kvm), vm(vm), address(address) {}

  const kvm::ShadowPage& page() const {
    if (!page_) page_ = kvm.shadow_page(address);
    return *page_;
  }
  bool obsolete() const {
    const Field& gen = kvm.layout().vm().valid_gen;
    return !page().tdp_mmu && gen.present() &&
           page().valid_gen != static_cast<std::uint8_t>(vm.fields.get(gen));
  }

  const kvm::Kvm& kvm;
  const kvm::Vm& vm;
  const VirtAddr address;

 private:
  mutable std::optional<kvm::ShadowPage> page_;
};

const std::vector<FieldOf<Item>>& fields() {
  using K = ColumnKind;
  static const std::vector<FieldOf<Item>> all = {
      {{"vm", K::count, "number of the VM"},
       [](const Item& i) -> Value { return std::uint64_t{i.vm.index}; }},
      {{"sp", K::hex, "address of its struct kvm_mmu_page"},
       [](const Item& i) -> Value { return Hex(i.address); }},
      {{"level", K::count, "1 maps 4 KiB pages"},
       [](const Item& i) -> Value { return std::uint64_t{i.page().level()}; }},
      {{"gfn", K::hex, "first frame that it maps (direct), or frame of the table that it shadows"},
       [](const Item& i) -> Value { return Hex(i.page().gfn); }},
      {{"quadrant", K::count, "which part of a 32-bit guest's table"},
       [](const Item& i) -> Value { return std::uint64_t{i.page().role.quadrant}; }},
      {{"direct", K::flag, "maps guest physical memory, shadows no table"},
       [](const Item& i) -> Value { return i.page().role.direct; }},
      {{"unsync", K::flag, "the guest may write its table without KVM's knowledge"},
       [](const Item& i) -> Value { return i.page().unsync; }},
      {{"unsync_children", K::count, "entries with something unsync below"},
       [](const Item& i) -> Value { return i.page().unsync_children; }},
      {{"root_count", K::number, "references as a root"},
       [](const Item& i) -> Value { return i.page().root_count; }},
      {{"invalid", K::flag, "zapped, waits for its last reference"},
       [](const Item& i) -> Value { return i.page().role.invalid; }},
      {{"obsolete", K::flag, "of an older mmu_valid_gen"},
       [](const Item& i) -> Value { return i.obsolete(); }},
      {{"tdp_mmu", K::flag, "of the TDP MMU"},
       [](const Item& i) -> Value { return i.page().tdp_mmu; }},
      {{"guest_mode", K::flag, "made for a nested guest"},
       [](const Item& i) -> Value { return i.page().role.guest_mode; }},
      {{"smm", K::count, "memslot address space: 1 in system management mode"},
       [](const Item& i) -> Value { return std::uint64_t{i.page().role.smm}; }},
      {{"access", K::text, "what the guest's tables above allow: w write, u user, x exec"},
       [](const Item& i) -> Value { return i.page().role.access_text(); }},
      {{"role", K::hex, "role.word"},
       [](const Item& i) -> Value { return Hex(std::uint64_t{i.page().role.word}); }},
      {{"role_text", K::text, "the role in the tracepoints' words"},
       [](const Item& i) -> Value { return i.page().role.text(); }},
      {{"nx_huge_disallowed", K::flag, "4 KiB because of the NX huge-page mitigation"},
       [](const Item& i) -> Value { return i.page().nx_huge_disallowed; }},
      {{"spt", K::hex, "address of the table"},
       [](const Item& i) -> Value { return Hex(i.page().spt); }},
      {{"parents", K::count, "entries that point to it"},
       [](const Item& i) -> Value { return i.kvm.parent_count(i.page()); }},
  };
  return all;
}

// What the last line of a table says.
struct Totals {
  std::uint64_t pages = 0, unreadable = 0, unsync = 0, invalid = 0, obsolete = 0;
  std::array<std::uint64_t, 6> by_level{};

  void add(const Item& item) {
    ++pages;
    const std::optional<bool> read = if_readable([&] {
      ++by_level[item.page().level()];
      unsync += item.page().unsync;
      invalid += item.page().role.invalid;
      obsolete += item.obsolete();
      return true;
    });
    if (!read) ++unreadable;
  }
};

const std::vector<Column>& summary_columns() {
  using K = ColumnKind;
  static const std::vector<Column> columns = {
      {"vm", K::count, "number of the VM"},
      {"pages", K::count, "pages that were counted (and fit the filters)"},
      {"used", K::count, "shadow pages, as KVM counts them"},
      {"max", K::count, "limit of shadow pages"},
      {"levels", K::records, "pages by level", {{"level", K::count, ""}, {"pages", K::count, ""}}},
      {"unsync", K::count, "unsync pages"},
      {"invalid", K::count, "invalid pages"},
      {"obsolete", K::count, "obsolete pages"},
      {"unreadable", K::count, "pages that could not be read"}};
  return columns;
}

Record summary_record(const kvm::Kvm& kvm, const kvm::Vm& vm, const Totals& totals) {
  Records levels;
  for (unsigned level = 5; level >= 1; --level)
    if (totals.by_level[level] != 0)
      levels.push_back({{std::uint64_t{level}, totals.by_level[level]}});
  const auto field = [&](const Field& wanted) {
    return value_or_lost([&]() -> Value { return vm.fields.get(wanted); });
  };
  return {{std::uint64_t{vm.index}, totals.pages, field(kvm.layout().vm().used_pages),
           field(kvm.layout().vm().max_pages), std::move(levels), totals.unsync, totals.invalid,
           totals.obsolete, totals.unreadable}};
}

std::string summary_line(const RecordView& record) {
  const std::vector<Column>& level_columns = summary_columns()[4].nested;
  std::string levels;
  for (const Record& entry : record.records("levels")) {
    const RecordView level(level_columns, entry);
    levels += fmt::format("{} L{} {}", levels.empty() ? ":" : ",", level.text("level"),
                          level.text("pages"));
  }
  std::string line =
      fmt::format("{} pages (used {}, max {}){}; unsync {}, invalid {}, obsolete {}",
                  record.text("pages"), record.text("used"), record.text("max"), levels,
                  record.text("unsync"), record.text("invalid"), record.text("obsolete"));
  if (record.number("unreadable") != 0)
    line += fmt::format(", unreadable {}", record.text("unreadable"));
  return line;
}

std::string flag_words(const RecordView& record) {
  Words words;
  for (const std::string_view flag :
       {"unsync", "direct", "invalid", "obsolete", "tdp_mmu", "guest_mode", "nx_huge_disallowed"})
    if (record.flag(flag)) words.emplace_back(flag);
  if (record.is_lost("unsync")) return record.text("unsync");
  return words.empty() ? "-" : fmt::format("{}", fmt::join(words, ","));
}

// A frame as users write it: a number or gfn:N.
std::uint64_t frame(std::string_view text) {
  return parse_number(text.starts_with("gfn:") ? text.substr(4) : text);
}

// Whether a page fits the filters of the command line. One that cannot be read fits
// only when there is no filter.
class Filter {
 public:
  explicit Filter(const Arguments& args)
      : level_(args.number("--level")),
        unsync_(args.has("--unsync")),
        root_(args.has("--root")),
        invalid_(args.has("--invalid")),
        direct_(args.has("--direct")) {
    if (const auto gfn = args.option("--gfn")) gfn_ = frame(*gfn);
  }

  bool fits(const Item& item) const {
    if (!level_ && !gfn_ && !unsync_ && !root_ && !invalid_ && !direct_) return true;
    return if_readable([&] { return fits(item.page()); }).value_or(false);
  }

 private:
  bool fits(const kvm::ShadowPage& page) const {
    return (!level_ || page.level() == *level_) && (!unsync_ || page.unsync) &&
           (!root_ || page.root_count > 0) && (!invalid_ || page.role.invalid) &&
           (!direct_ || page.role.direct) && (!gfn_ || covers(page, *gfn_));
  }
  // An indirect page stands for one guest table, a direct one maps a range.
  static bool covers(const kvm::ShadowPage& page, std::uint64_t gfn) {
    const std::uint64_t count = page.role.direct ? 1ULL << (9 * page.level()) : 1;
    return gfn >= page.gfn.value && gfn - page.gfn.value < count;
  }

  std::optional<std::uint64_t> level_, gfn_;
  bool unsync_, root_, invalid_, direct_;
};

// The pages of the TDP MMU are on no list that all kernels have: they are found from its roots.
// `lost` is told of a page or table below which some may be missing.
void each_tdp_page(const kvm::Kvm& kvm, const kvm::Vm& vm,
                   const std::function<void(VirtAddr)>& visit,
                   const std::function<void(const Error&)>& lost) {
  for (const VirtAddr address : kvm.tdp_roots(vm)) {
    visit(address);
    const kvm::TreeStart start = kvm::start_of(kvm, kvm.shadow_page(address));
    kvm::walk_tree(kvm, start, {},
                   {.visit =
                        [&](const kvm::Entry& entry, bool) {
                          if (entry.child != nullptr && *entry.child)
                            visit((*entry.child)->address);
                          if (entry.lost != nullptr) lost(*entry.lost);
                        },
                    .enter = [] {},
                    .leave = [] {}});
  }
}

void list_pages(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const Filter filter(args);
  const bool summary = args.has("--summary");
  const std::vector<kvm::Vm> vms = selected_vms(kvm, args, rows);
  for (const kvm::Vm& vm : vms) {
    Totals totals;
    const auto show = [&](VirtAddr address) {
      const Item item(kvm, vm, address);
      if (!filter.fits(item)) return;
      totals.add(item);
      if (totals.pages % 4096 == 0)
        session.progress(fmt::format("{} pages of VM {}", totals.pages, vm.index));
      if (!summary) rows.add(make_record(fields(), item));
    };
    rows.attempt([&] { return fmt::format("pages of VM {} may be missing", vm.index); },
                 [&] { kvm.each_active_page(vm, show); });
    const auto lost = [&](const Error& error) {
      rows.note(fmt::format("TDP MMU pages of VM {} may be missing: {}", vm.index, error.what()));
      rows.set_status(exit_status(error.kind()));
    };
    if (args.has("--tdp"))
      rows.attempt([&] { return fmt::format("TDP MMU pages of VM {} may be missing", vm.index); },
                   [&] { each_tdp_page(kvm, vm, show, lost); });
    Record record = summary_record(kvm, vm, totals);
    const std::string line = summary_line(RecordView(summary_columns(), record));
    if (summary)
      rows.add(std::move(record));
    else
      rows.footer(vms.size() > 1 ? fmt::format("VM {}: {}", vm.index, line) : line);
  }
}

}  // namespace

Command pages() {
  return {
      .names = {"pages"},
      .summary = "list the shadow pages of each VM",
      .arguments = {vm_argument()},
      .options = {{"--level", "N", ArgumentKind::number, "only pages of this level"},
                  {"--gfn", "N", ArgumentKind::address,
                   "only pages that shadow this guest frame, or map it (direct)"},
                  {"--unsync", "", ArgumentKind::text, "only unsync pages"},
                  {"--root", "", ArgumentKind::text, "only pages in use as a root"},
                  {"--invalid", "", ArgumentKind::text, "only invalid pages"},
                  {"--direct", "", ArgumentKind::text, "only direct pages"},
                  {"--tdp", "", ArgumentKind::text, "the pages of the TDP MMU, too"},
                  {"--summary", "", ArgumentKind::text, "only the totals of each VM"}},
      .columns = columns_of(fields()),
      .view = {.table = {column("SP", "sp"),
                         column("L", "level"),
                         column("GFN", "gfn"),
                         number_column("Q", "quadrant"),
                         column("ACC", "access"),
                         {"FLAGS", Align::left, flag_words},
                         number_column("KIDS", "unsync_children"),
                         number_column("ROOTS", "root_count"),
                         number_column("PARENTS", "parents"),
                         column("SPT", "spt")}},
      .modes = {{.option = "--summary",
                 .columns = summary_columns(),
                 .view = {.block =
                              [](const RecordView& record) {
                                return fmt::format("VM {}: {}\n", record.text("vm"),
                                                   summary_line(record));
                              }}}},
      .keys = {"sp"},
      .examples = {"pages 0", "pages --unsync", "pages 1 --level 2 -f csv", "pages --summary"},
      .run = list_pages,
  };
}

}  // namespace kvmscope
