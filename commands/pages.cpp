// pages: the shadow pages of each VM, and with --tdp those of the TDP MMU.

#include "commands/catalogue.hpp"
#include "commands/page_totals.hpp"
#include "commands/page_walk.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"

namespace kvmscope {
const std::vector<FieldOf<PageItem>>& page_fields() {
  using K = ColumnKind;
  static const std::vector<FieldOf<PageItem>> all = {
      {{"vm", K::count, "number of the VM"},
       [](const PageItem& i) -> Value { return std::uint64_t{i.vm.index}; }},
      {{"sp", K::hex, "address of its struct kvm_mmu_page"},
       [](const PageItem& i) -> Value { return Hex(i.address); }},
      {{"level", K::count, "1 maps 4 KiB pages"},
       [](const PageItem& i) -> Value { return std::uint64_t{i.page().level()}; }},
      {{"gfn", K::hex, "first frame that it maps (direct), or frame of the table that it shadows"},
       [](const PageItem& i) -> Value { return Hex(i.page().gfn); }},
      {{"quadrant", K::count, "which part of a 32-bit guest's table"},
       [](const PageItem& i) -> Value { return std::uint64_t{i.page().role.quadrant}; }},
      {{"direct", K::flag, "maps guest physical memory, shadows no table"},
       [](const PageItem& i) -> Value { return i.page().role.direct; }},
      {{"unsync", K::flag, "the guest may write its table without KVM's knowledge"},
       [](const PageItem& i) -> Value { return i.page().unsync; }},
      {{"unsync_children", K::count, "entries with something unsync below"},
       [](const PageItem& i) -> Value { return i.page().unsync_children; }},
      {{"root_count", K::number, "references as a root"},
       [](const PageItem& i) -> Value { return i.page().root_count; }},
      {{"invalid", K::flag, "zapped, waits for its last reference"},
       [](const PageItem& i) -> Value { return i.page().role.invalid; }},
      {{"obsolete", K::flag, "of an older mmu_valid_gen"},
       [](const PageItem& i) -> Value { return i.obsolete(); }},
      {{"tdp_mmu", K::flag, "of the TDP MMU"},
       [](const PageItem& i) -> Value { return i.page().tdp_mmu; }},
      {{"guest_mode", K::flag, "made for a nested guest"},
       [](const PageItem& i) -> Value { return i.page().role.guest_mode; }},
      {{"smm", K::count, "memslot address space: 1 in system management mode"},
       [](const PageItem& i) -> Value { return std::uint64_t{i.page().role.smm}; }},
      {{"access", K::text, "what the guest's tables above allow: w write, u user, x exec"},
       [](const PageItem& i) -> Value { return i.page().role.access_text(); }},
      {{"role", K::hex, "role.word"},
       [](const PageItem& i) -> Value { return Hex(std::uint64_t{i.page().role.word}); }},
      {{"role_text", K::text, "the role in the tracepoints' words"},
       [](const PageItem& i) -> Value { return i.page().role.text(); }},
      {{"nx_huge_disallowed", K::flag, "4 KiB because of the NX huge-page mitigation"},
       [](const PageItem& i) -> Value { return i.page().nx_huge_disallowed; }},
      {{"spt", K::hex, "address of the table"},
       [](const PageItem& i) -> Value { return Hex(i.page().spt); }},
      {{"parents", K::count, "entries that point to it"},
       [](const PageItem& i) -> Value { return i.kvm.parent_count(i.page()); }},
  };
  return all;
}

namespace {

using Item = PageItem;

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

// Why the totals are not those of one moment; empty: they are.
std::string torn_totals(const kvm::Kvm& kvm, const PagesFound& found) {
  if (kvm.kernel().steady() == nullptr || (found.all && found.torn == 0)) return "";
  if (!found.all) return "pages came or went while they were counted";
  return fmt::format("{} pages changed while they were counted", found.torn);
}

void list_pages(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const Filter filter(args);
  const bool summary = args.has("--summary");
  const std::vector<kvm::Vm> vms = selected_vms(kvm, args, rows);
  for (const kvm::Vm& vm : vms) {
    PageTotals totals;
    PageWalk walk{.vm = vm, .tdp = args.has("--tdp"), .quiet = summary};
    walk.fits = [&](const Item& item) { return filter.fits(item); };
    walk.count = [&](const kvm::ShadowPage* page, bool obsolete) {
      totals.add(page != nullptr ? std::optional(PageFacts(*page, obsolete)) : std::nullopt);
    };
    if (!summary) walk.make = [&](const Item& item) { rows.add(make_record(page_fields(), item)); };
    const PagesFound found = walk_pages(session, walk, rows);
    Record record = page_totals_record(kvm, vm, totals);
    const std::string line = page_totals_line(RecordView(page_totals_columns(), record));
    if (summary)
      rows.add_checked(std::move(record), std::nullopt, torn_totals(kvm, found));
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
      .columns = columns_of(page_fields()),
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
                 .columns = page_totals_columns(),
                 .view = {.block =
                              [](const RecordView& record) {
                                return fmt::format("VM {}: {}\n", record.text("vm"),
                                                   page_totals_line(record));
                              }}}},
      .keys = {"sp"},
      .examples = {"pages 0", "pages --unsync", "pages 1 --level 2 -f csv", "pages --summary"},
      .run = list_pages,
  };
}

}  // namespace kvmscope
