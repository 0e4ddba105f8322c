// pages: the shadow pages of each VM, and with --tdp those of the TDP MMU.

#include "commands/catalogue.hpp"
#include "commands/page_totals.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "commands/targets.hpp"
#include "core/memory/settle.hpp"

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
  const auto entry = [&](const kvm::Entry& entry, bool) {
    if (entry.child != nullptr && *entry.child) visit((*entry.child)->address);
    if (entry.lost != nullptr) lost(*entry.lost);
    if (!entry.torn.empty()) lost(Error(ErrorKind::torn, entry.torn));
  };
  std::vector<VirtAddr> roots;
  const std::string change = settle(kvm.kernel().steady(), [&] { roots = kvm.tdp_roots(vm); });
  if (!change.empty()) lost(Error(ErrorKind::torn, change));
  for (const VirtAddr address : roots) {
    visit(address);
    kvm::walk_tree(kvm, kvm::start_of(kvm, kvm.shadow_page(address)), {},
                   {.visit = entry, .enter = [] {}, .leave = [] {}});
  }
}

// The pages of one VM, in the order in which they are found. On a kernel that runs some are read
// together, so that one look at the VM serves for all.
class PageRows {
 public:
  PageRows(Session& session, const kvm::Vm& vm, const Filter& filter, bool summary, RowSink& rows)
      : session_(session), vm_(vm), filter_(filter), summary_(summary), rows_(rows) {}

  void add(VirtAddr address) {
    pages_.push_back({address, std::nullopt});
    if (pages_.size() == read_together) flush();
  }

  void flush() {
    std::vector<PageTotals> totals(pages_.size());
    SteadyWork work{.count = pages_.size(),
                    .make =
                        [&](std::size_t i) {
                          totals[i] = {};
                          make(pages_[i], totals[i]);
                        },
                    .what = {}};
    if (!summary_)
      work.what = [&](std::size_t i) {
        return fmt::format("shadow page {:#x} is left out", pages_[i].address.value);
      };
    torn_ += steadily(session_.kvm().kernel(), rows_, work);
    for (const PageTotals& one : totals) totals_ += one;
    shown_ += pages_.size();
    session_.progress(fmt::format("{} pages of VM {}", shown_, vm_.index));
    pages_.clear();
  }

  const PageTotals& totals() const { return totals_; }
  std::size_t torn() const { return torn_; }

 private:
  struct Found {
    VirtAddr address;
    std::optional<kvm::ShadowPage> before;  // as it was read first
  };

  void make(Found& found, PageTotals& totals) {
    const kvm::Kvm& kvm = session_.kvm();
    const Item item(kvm, vm_, found.address);
    // A page that was freed meanwhile may be another one by now: the same address is not enough.
    if (found.before) kvm.use_identity(*found.before);
    if (kvm.kernel().steady() != nullptr && !found.before)
      if_readable([&] { return &found.before.emplace(item.page()); });
    if (!filter_.fits(item)) return;
    totals.add(if_readable([&] { return PageFacts(item.page(), item.obsolete()); }));
    if (!summary_) rows_.add(make_record(fields(), item));
  }

  Session& session_;
  const kvm::Vm& vm_;
  const Filter& filter_;
  bool summary_;
  RowSink& rows_;
  static constexpr std::size_t read_together = 64;
  std::vector<Found> pages_;
  PageTotals totals_;
  std::uint64_t shown_ = 0;
  std::size_t torn_ = 0;
};

// Returns whether all pages were found.
bool list_pages_of(Session& session, const kvm::Vm& vm, const Arguments& args, PageRows& pages,
                   RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const auto add = [&](VirtAddr address) { pages.add(address); };
  bool all = rows.attempt([&] { return fmt::format("pages of VM {} may be missing", vm.index); },
                          [&] { kvm.each_active_page(vm, add, [&] { pages.flush(); }); });
  pages.flush();
  if (!args.has("--tdp")) return all;
  const auto lost = [&](const Error& error) {
    all = false;
    const std::string text =
        fmt::format("TDP MMU pages of VM {} may be missing: {}", vm.index, error.what());
    if (error.kind() == ErrorKind::torn) return rows.set_torn(text);
    rows.note(text);
    rows.set_status(exit_status(error.kind()));
  };
  rows.attempt([&] { return fmt::format("TDP MMU pages of VM {} may be missing", vm.index); },
               [&] { each_tdp_page(kvm, vm, add, lost); });
  pages.flush();
  return all;
}

// Why the totals are not those of one moment; empty: they are.
std::string torn_totals(const kvm::Kvm& kvm, const PageRows& pages, bool all) {
  if (kvm.kernel().steady() == nullptr || (all && pages.torn() == 0)) return "";
  if (!all) return "pages came or went while they were counted";
  return fmt::format("{} pages changed while they were counted", pages.torn());
}

void list_pages(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const Filter filter(args);
  const bool summary = args.has("--summary");
  const std::vector<kvm::Vm> vms = selected_vms(kvm, args, rows);
  for (const kvm::Vm& vm : vms) {
    PageRows pages(session, vm, filter, summary, rows);
    const bool all = list_pages_of(session, vm, args, pages, rows);
    Record record = page_totals_record(kvm, vm, pages.totals());
    const std::string line = page_totals_line(RecordView(page_totals_columns(), record));
    if (summary)
      rows.add_checked(std::move(record), std::nullopt, torn_totals(kvm, pages, all));
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
