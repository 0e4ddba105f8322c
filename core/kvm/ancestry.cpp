#include "core/kvm/ancestry.hpp"

#include <optional>

#include "core/base/interrupt.hpp"

namespace kvmscope::kvm {
namespace {

class Walk {
 public:
  Walk(const Kvm& kvm, std::uint64_t most, const AncestorVisitor& visitor)
      : kvm_(kvm), most_(most), visitor_(visitor) {}

  // Shows `ancestor`, whose page is known, and what is above it.
  void climb(Ancestor ancestor) {
    const ShadowPage& page = *ancestor.page;
    ancestor.repeated = !seen_.insert(page.address).second;
    std::vector<VirtAddr> parents;
    std::optional<Error> above_lost;
    if (!ancestor.repeated)
      above_lost = lost_in(
          [&] { each_parent_spte(kvm_, page, [&](VirtAddr spte) { parents.push_back(spte); }); });
    if (above_lost) ancestor.above_lost = &*above_lost;
    show(ancestor);
    if (parents.empty()) return;
    visitor_.enter();
    for (const VirtAddr& spte : parents)
      climb_to({.depth = ancestor.depth + 1,
                .spte_address = spte,
                .child = &page,
                .last = &spte == &parents.back()});
    visitor_.leave();
  }

 private:
  void show(const Ancestor& ancestor) {
    check_interrupt();
    if (++shown_ > most_)
      throw_error(ErrorKind::fault, "more than {} parents: give --max-entries", most_);
    visitor_.visit(ancestor);
  }

  void climb_to(Ancestor ancestor) {
    std::optional<SptePlace> place;
    const std::optional<Error> lost =
        lost_in([&] { place = parent_place(kvm_, ancestor.spte_address, *ancestor.child); });
    if (lost) {
      ancestor.lost = &*lost;
      return show(ancestor);
    }
    ancestor.page = &place->page;
    ancestor.index = place->index;
    ancestor.spte = place->spte;
    climb(ancestor);
  }

  const Kvm& kvm_;
  std::uint64_t most_;
  const AncestorVisitor& visitor_;
  std::uint64_t shown_ = 0;
  std::set<VirtAddr> seen_;
};

}  // namespace

void walk_ancestors(const Kvm& kvm, const ShadowPage& page, std::uint64_t most,
                    const AncestorVisitor& visitor) {
  Walk(kvm, most, visitor).climb({.page = &page});
}

SptePlace parent_place(const Kvm& kvm, VirtAddr spte_address, const ShadowPage& child) {
  return with_context(
      [&] {
        return fmt::format("following the parent entry {:#x} of shadow page {:#x}",
                           spte_address.value, child.address.value);
      },
      [&] {
        SptePlace place = spte_place(kvm, spte_address);
        if (place.page.level() != child.level() + 1)
          throw_error(ErrorKind::corrupt, "it stands in shadow page {:#x} of level {}, not {}",
                      place.page.address.value, place.page.level(), child.level() + 1);
        const SpteFormat& format = kvm.spte_format();
        if (format.kind(place.spte, place.page.level()) != SpteKind::table ||
            kvm.kernel().direct_map(format.target(place.spte)) != child.spt)
          throw_error(ErrorKind::corrupt, "it holds {:#x}, which does not lead there", place.spte);
        return place;
      });
}

const RootPaths::Paths& RootPaths::to(const ShadowPage& page) {
  const auto known = known_.find(page.address);
  if (known != known_.end()) return known->second;
  check_interrupt();
  Paths paths;
  const auto add = [&](std::string text, bool named) {
    const std::size_t at = named ? paths.named : paths.texts.size();
    if (at == most_texts) return;
    paths.texts.insert(paths.texts.begin() + static_cast<std::ptrdiff_t>(at), std::move(text));
    paths.named += named;
    if (paths.texts.size() > most_texts) paths.texts.pop_back();
  };
  if (const auto names = names_.find(page.address); names != names_.end())
    for (const std::string& name : names->second) {
      add(name, true);
      ++paths.count;
    }
  each_parent_spte(kvm_, page, [&](VirtAddr spte) {
    const SptePlace place = parent_place(kvm_, spte, page);
    // Levels grow on the way up, so this ends.
    const Paths& above = to(place.page);
    paths.count += above.count;
    for (std::size_t i = 0; i < above.texts.size(); ++i)
      add(fmt::format("{} {}[{}]", above.texts[i], place.page.level(), place.index),
          i < above.named);
  });
  if (paths.count == 0) {
    add(fmt::format("{:#x}", page.address.value), false);
    paths.count = 1;
  }
  return known_.emplace(page.address, std::move(paths)).first->second;
}

}  // namespace kvmscope::kvm
