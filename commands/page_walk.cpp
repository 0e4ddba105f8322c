#include "commands/page_walk.hpp"

#include <vector>

#include "core/kvm/walk.hpp"
#include "core/memory/settle.hpp"

namespace kvmscope {
namespace {

// The pages of the TDP MMU are on no list that all kernels have: they are found from its roots.
// `lost` is told of a page or table below which some may be missing.
void each_tdp_page(const kvm::Kvm& kvm, const kvm::Vm& vm,
                   const std::function<void(const kvm::ShadowPage&)>& visit,
                   const std::function<void(const Error&)>& lost) {
  const auto entry = [&](const kvm::Entry& entry, bool) {
    if (entry.child != nullptr && *entry.child) visit(**entry.child);
    if (entry.lost != nullptr) lost(*entry.lost);
    if (!entry.torn.empty()) lost(Error(ErrorKind::torn, entry.torn));
  };
  std::vector<kvm::ShadowPage> roots;
  std::vector<Error> broken;
  const std::string change = settle(kvm.kernel().steady(), [&] {
    roots.clear();
    broken.clear();
    for (const VirtAddr address : kvm.tdp_roots(vm)) {
      const auto error = lost_in([&] { roots.push_back(kvm.shadow_page(address)); });
      if (error) broken.push_back(*error);
    }
  });
  if (!change.empty()) broken.assign({Error(ErrorKind::torn, change)});
  for (const Error& error : broken) lost(error);
  for (const kvm::ShadowPage& root : roots) {
    visit(root);
    const kvm::TreeStart start = kvm::start_of(kvm, root);
    // No table hangs below one of level 1: the entries of level 2 tell all.
    kvm::walk_tree(kvm, start, {.depth = start.level < 2 ? 0 : start.level - 2},
                   {.visit = entry, .enter = [] {}, .leave = [] {}});
  }
}

class Walk {
 public:
  Walk(Session& session, const PageWalk& walk, RowSink& rows)
      : session_(session), walk_(walk), rows_(rows) {}

  PagesFound run() {
    const kvm::Kvm& kvm = session_.kvm();
    const auto add = [this](VirtAddr address) { this->add({address, std::nullopt}); };
    const auto add_read = [this](const kvm::ShadowPage& page) { this->add({page.address, page}); };
    found_.all =
        rows_.attempt([&] { return fmt::format("pages of VM {} may be missing", walk_.vm.index); },
                      [&] { kvm.each_active_page(walk_.vm, add, [this] { flush(); }); });
    flush();
    if (!walk_.tdp) return found_;
    const auto missing = [&] {
      return fmt::format("TDP MMU pages of VM {} may be missing", walk_.vm.index);
    };
    const auto lost = [&](const Error& error) {
      found_.all = false;
      const std::string text = fmt::format("{}: {}", missing(), error.what());
      if (error.kind() == ErrorKind::torn) return rows_.set_torn(text);
      rows_.note(text);
      rows_.set_status(exit_status(error.kind()));
    };
    if (!rows_.attempt(missing, [&] { each_tdp_page(kvm, walk_.vm, add_read, lost); }))
      found_.all = false;
    flush();
    return found_;
  }

 private:
  struct Found {
    VirtAddr address;
    std::optional<kvm::ShadowPage> before;  // as it was read first
  };
  // What is counted of a page, when it is known that it stays as it is.
  struct Facts {
    bool fits = false;
    std::optional<kvm::ShadowPage> page;
    bool obsolete = false;
  };

  void add(const Found& found) {
    pages_.push_back(found);
    if (pages_.size() == read_together) flush();
  }

  void flush() {
    std::vector<Facts> facts(pages_.size());
    SteadyWork work{.count = pages_.size(),
                    .make = [&](std::size_t i) { make(pages_[i], facts[i] = {}); },
                    .what = {}};
    if (!walk_.quiet)
      work.what = [&](std::size_t i) {
        return fmt::format("shadow page {:#x} is left out", pages_[i].address.value);
      };
    found_.torn += steadily(session_.kvm().kernel(), rows_, work);
    for (const Facts& one : facts)
      if (one.fits) walk_.count(one.page ? &*one.page : nullptr, one.obsolete);
    shown_ += pages_.size();
    session_.progress(fmt::format("{} pages of VM {}", shown_, walk_.vm.index));
    pages_.clear();
  }

  void make(Found& found, Facts& facts) {
    const kvm::Kvm& kvm = session_.kvm();
    const PageItem item(kvm, walk_.vm, found.address);
    // A page that was freed meanwhile may be another one by now: the same address is not enough.
    if (found.before) kvm.use_identity(*found.before);
    if (kvm.kernel().steady() != nullptr && !found.before)
      if_readable([&] { return &found.before.emplace(item.page()); });
    if (walk_.fits && !walk_.fits(item)) return;
    facts.fits = true;
    if_readable([&] {
      facts.obsolete = item.obsolete();
      return &facts.page.emplace(item.page());
    });
    if (walk_.make) walk_.make(item);
  }

  Session& session_;
  const PageWalk& walk_;
  RowSink& rows_;
  static constexpr std::size_t read_together = 64;
  std::vector<Found> pages_;
  PagesFound found_;
  std::uint64_t shown_ = 0;
};

}  // namespace

bool PageItem::obsolete() const {
  const Field& gen = kvm.layout().vm().valid_gen;
  return !page().tdp_mmu && gen.present() &&
         page().valid_gen != static_cast<std::uint8_t>(vm.fields.get(gen));
}

PagesFound walk_pages(Session& session, const PageWalk& walk, RowSink& rows) {
  return Walk(session, walk, rows).run();
}

}  // namespace kvmscope
