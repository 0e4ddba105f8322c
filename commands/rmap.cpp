// rmap: every SPTE that maps a guest frame, at every level, and the way to it from roots.

#include "core/kvm/rmap.hpp"

#include "commands/catalogue.hpp"
#include "commands/entries.hpp"
#include "commands/guest_arguments.hpp"
#include "commands/root_names.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "core/kvm/walk.hpp"

namespace kvmscope {
namespace {

// One SPTE that maps a frame.
struct Item {
  const kvm::Kvm& kvm;
  const kvm::Vm& vm;
  kvm::RootPaths& paths;
  const kvm::RmapHead& head;
  VirtAddr spte_address;
  bool tdp_mmu = false;  // found in a tree of the TDP MMU: not in an rmap
  std::optional<kvm::SptePlace> place = {};
  std::optional<Error> lost = {};  // why there is none

  const kvm::SptePlace& at() const {
    if (lost) throw Error(*lost);
    return *place;
  }
  kvm::SpteKind kind() const { return kvm.spte_format().kind(at().spte, at().page.level()); }
};

Value pfn_of(const Item& item) {
  if (item.kind() != kvm::SpteKind::leaf) return {};
  return Hex(to_pfn(item.kvm.spte_format().target(item.at().spte)));
}

Value flags_of(const Item& item) {
  if (item.kind() != kvm::SpteKind::leaf) return Words{};
  return item.kvm.spte_format().flags(item.at().spte, item.at().page.level());
}

Value paths_of(const Item& item) {
  const kvm::SptePlace& place = item.at();
  Words words = item.paths.to(place.page).texts;
  for (std::string& text : words) text += fmt::format(" {}[{}]", place.page.level(), place.index);
  return words;
}

const std::vector<FieldOf<Item>>& fields() {
  using K = ColumnKind;
  static const std::vector<FieldOf<Item>> all = {
      {{"vm", K::count, "number of the VM"},
       [](const Item& i) -> Value { return std::uint64_t{i.vm.index}; }},
      {{"as_id", K::count, "memslot address space: 1 in system management mode"},
       [](const Item& i) -> Value { return std::uint64_t{i.head.as_id}; }},
      {{"gfn", K::hex, "first guest frame that the SPTE maps"},
       [](const Item& i) -> Value { return Hex(i.head.gfn); }},
      {{"level", K::count, "1: 4 KiB, 2: 2 MiB, 3: 1 GiB"},
       [](const Item& i) -> Value { return std::uint64_t{i.head.level}; }},
      {{"source", K::text, "where it was found: rmap, or tdp_mmu (a tree: it has no rmaps)"},
       [](const Item& i) -> Value { return std::string(i.tdp_mmu ? "tdp_mmu" : "rmap"); }},
      {{"spte", K::hex, "the entry"}, [](const Item& i) -> Value { return Hex(i.at().spte); }},
      {{"spte_address", K::hex, "where it stands"},
       [](const Item& i) -> Value { return Hex(i.spte_address); }},
      {{"kind", K::text, "leaf; anything else is not as it should be"},
       [](const Item& i) -> Value { return std::string(kvm::name(i.kind())); }},
      {{"pfn", K::hex, "host frame"}, pfn_of},
      {{"flags", K::words, "as `tree` has them"}, flags_of},
      {{"sp", K::hex, "shadow page whose table it is in"},
       [](const Item& i) -> Value { return Hex(i.at().page.address); }},
      {{"index", K::count, "in that table"},
       [](const Item& i) -> Value { return std::uint64_t{i.at().index}; }},
      {{"direct", K::flag, "whether that page is direct"},
       [](const Item& i) -> Value { return i.at().page.role.direct; }},
      {{"path_count", K::count, "ways from roots to it"},
       [](const Item& i) -> Value { return i.paths.to(i.at().page).count; }},
      {{"paths", K::words,
        "16 at most: the root's name, or the address of one that no slot holds, then level[index]"},
       paths_of},
  };
  return all;
}

std::string flags_text(const RecordView& record) {
  if (record.is_lost("flags")) return "?";
  return fmt::format("{} {} {}", permission_text(record), access_dirty_text(record),
                     writable_text(record));
}

std::string paths_text(const RecordView& record) {
  if (std::string loss = loss_text(record); !loss.empty()) return loss;
  if (record.is_lost("paths")) return record.text("paths");
  const Words& paths = record.words("paths");
  if (paths.empty()) return "-";
  const std::uint64_t more = record.number("path_count") - 1;
  return more == 0 ? paths.front() : fmt::format("{} and {} more", paths.front(), more);
}

// Looks one VM through.
class Search {
 public:
  Search(Session& session, const kvm::Vm& vm, std::optional<Gfn> gfn, RowSink& rows)
      : session_(session),
        kvm_(session.kvm()),
        vm_(vm),
        gfn_(gfn),
        rows_(rows),
        names_(root_names(kvm_, {vm}, rows)),
        paths_(kvm_, names_) {}

  void run() {
    settle_or_note(kvm_.kernel(), rows_, "memslots may be missing",
                   [&] { slots_ = kvm_.memslots(vm_); });
    if (gfn_) std::erase_if(slots_, [&](const kvm::Memslot& slot) { return !holds(slot, *gfn_); });
    for (const kvm::Memslot& slot : slots_)
      rows_.attempt([&] { return fmt::format("the rmaps of memslot {} are not known", slot.id); },
                    [&] { search(slot); });
    flush();
    if (kvm_.uses_tdp_mmu(vm_)) search_tdp();
    say_what_was_found();
  }

 private:
  void search(const kvm::Memslot& slot) {
    const kvm::MemslotArrays arrays = kvm::memslot_arrays(kvm_, slot);
    has_rmaps_ = has_rmaps_ || arrays.rmap[1].value != 0;
    if (gfn_) {
      for (const kvm::RmapHead& head : kvm::rmap_heads(slot, arrays, *gfn_)) add(head);
      return;
    }
    kvm::each_rmap_head(
        kvm_, slot, arrays, [&](const kvm::RmapHead& head, std::uint64_t) { add(head); },
        [&](const Error& error) {
          rows_.note(fmt::format("rmaps may be missing: {}", error.what()));
          rows_.set_status(exit_status(error.kind()));
        });
  }

  void add(const kvm::RmapHead& head) {
    heads_.push_back(head);
    if (heads_.size() == read_together) flush();
  }

  // On a kernel that runs heads are read again together, and each with what it leads to.
  void flush() {
    const bool live = kvm_.kernel().steady() != nullptr;
    const auto make = [&](std::size_t i) {
      if (!live) return show(heads_[i], paths_);
      kvm::RootPaths fresh(kvm_, names_);
      show(heads_[i], fresh);
    };
    const auto what = [&](std::size_t i) {
      return fmt::format("the rmap of level {} of gfn {:#x} is incomplete", heads_[i].level,
                         heads_[i].gfn.value);
    };
    steadily(kvm_.kernel(), rows_, {.count = heads_.size(), .make = make, .what = what});
    heads_.clear();
    session_.progress(fmt::format("{} SPTEs of VM {}", found_, vm_.index));
  }

  void show(const kvm::RmapHead& head, kvm::RootPaths& paths) {
    kvm::walk_pte_list(kvm_, kvm::rmap_value(kvm_, head), [&](VirtAddr spte) {
      Item item{kvm_, vm_, paths, head, spte};
      item.lost = lost_in([&] { item.place = kvm::spte_place(kvm_, spte); });
      ++found_;
      rows_.add(make_record(fields(), item));
    });
  }

  // ---- the TDP MMU, which has no rmaps

  void search_tdp() {
    std::vector<VirtAddr> roots;
    settle_or_note(kvm_.kernel(), rows_, "roots of the TDP MMU may be missing",
                   [&] { roots = kvm_.tdp_roots(vm_); });
    for (const VirtAddr root : roots)
      rows_.attempt(
          [&] { return fmt::format("the tree of TDP MMU root {:#x} is incomplete", root.value); },
          [&] { search_tree(kvm_.shadow_page(root)); });
  }

  void search_tree(const kvm::ShadowPage& root) {
    kvm::TreeLimits limits;
    if (gfn_) limits.first = limits.last = to_gpa(*gfn_).value;
    const auto visit = [&](const kvm::Entry& entry, bool) {
      if (entry.kind != kvm::SpteKind::leaf || entry.parent == nullptr) return;
      kvm::RootPaths fresh(kvm_, names_);
      const kvm::RmapHead head{
          entry.parent->role.smm, entry.level, kvm_.entry_gfn(*entry.parent, entry.index), {}};
      Item item{kvm_,
                vm_,
                kvm_.kernel().steady() != nullptr ? fresh : paths_,
                head,
                entry.spte_address,
                true,
                kvm::SptePlace{*entry.parent, entry.index, entry.spte}};
      ++found_;
      rows_.add_checked(make_record(fields(), item), std::nullopt, entry.torn);
    };
    kvm::walk_tree(kvm_, kvm::start_of(kvm_, root), limits,
                   {.visit = visit, .enter = [] {}, .leave = [] {}});
  }

  void say_what_was_found() {
    if (kvm_.uses_tdp_mmu(vm_))
      rows_.note(
          fmt::format("VM {} uses the TDP MMU, whose pages have no rmaps: its trees were walked{}",
                      vm_.index, has_rmaps_ ? ", too" : ""));
    if (!gfn_ || found_ != 0 || rows_.status() != 0) return;
    if (slots_.empty())
      rows_.note(fmt::format("gfn {:#x} is in no memslot of VM {} (see `slots {}`)", gfn_->value,
                             vm_.index, vm_.index));
    else
      rows_.note(fmt::format("no SPTE of VM {} maps gfn {:#x}", vm_.index, gfn_->value));
  }

  Session& session_;
  const kvm::Kvm& kvm_;
  const kvm::Vm& vm_;
  std::optional<Gfn> gfn_;
  RowSink& rows_;
  static constexpr std::size_t read_together = 64;
  kvm::RootNames names_;
  kvm::RootPaths paths_;  // of a dump: what is above a page is read once
  std::vector<kvm::Memslot> slots_;
  std::vector<kvm::RmapHead> heads_;
  bool has_rmaps_ = false;
  std::uint64_t found_ = 0;
};

void show_rmap(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Vm vm = find_vm(session.kvm(), *args.text("VM"), rows);
  std::optional<Gfn> gfn;
  if (const std::optional<std::string> text = args.text("GFN")) gfn = parse_gfn(*text);
  Search(session, vm, gfn, rows).run();
}

}  // namespace

Command rmap() {
  return {
      .names = {"rmap"},
      .summary = "show every SPTE that maps a guest frame, with the way to it from roots",
      .details =
          "Of shadow pages from the rmaps of the memslots, at every level. The TDP MMU has none:\n"
          "its trees are walked. Without GFN: of every frame.",
      .arguments = {one_vm_argument(),
                    {"GFN", ArgumentKind::address, "a guest frame: a number, gfn:N or gpa:N",
                     true}},
      .columns = columns_of(fields()),
      .view = {.table = {column("GFN", "gfn"),
                         column("L", "level"),
                         column("SPTE ADDRESS", "spte_address"),
                         known_column("SPTE", "spte"),
                         {"FLAGS", Align::left, flags_text},
                         known_column("KIND", "kind"),
                         known_column("PFN", "pfn"),
                         known_column("SP", "sp"),
                         {"PATH", Align::left, paths_text}}},
      .keys = {"spte_address"},
      .examples = {"rmap 0 0x21", "rmap 0 gpa:0x21000 -f json", "rmap 1 -f jsonl"},
      .run = show_rmap,
  };
}

}  // namespace kvmscope
