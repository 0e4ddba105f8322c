#include "core/kvm/unsync.hpp"

#include <algorithm>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope::kvm {
namespace {

constexpr unsigned entries_per_table = 512;

}  // namespace

UnsyncReplay::UnsyncReplay(const Kvm& kvm, const ShadowPage& root)
    : kvm_(kvm), root_(root.address) {
  page_of(root);
}

UnsyncReplay::Page& UnsyncReplay::page_of(const ShadowPage& page) {
  return pages_.try_emplace(page.address, Page{page, std::nullopt}).first->second;
}

const Table& UnsyncReplay::table_of(Page& page) {
  if (!page.table) {
    const std::optional<PhysAddr> at = kvm_.kernel().direct_phys(page.copy.spt);
    if (!at)
      throw_error(ErrorKind::corrupt, "the spt of shadow page {:#x} is {:#x}, which is no table",
                  page.copy.address.value, page.copy.spt.value);
    page.table = read_table(kvm_.kernel().physical(), *at);
  }
  return *page.table;
}

// The page behind an entry whose bit is set; nullptr when the bit is stale.
UnsyncReplay::Page* UnsyncReplay::child_of(Page& parent, unsigned index) {
  const SpteFormat& format = kvm_.spte_format();
  const Table& table = table_of(parent);
  use_entry(kvm_.memory(), parent.copy.spt, table, index);
  const std::uint64_t spte = table[index];
  if (!format.is_present(spte) || format.is_leaf(spte, parent.copy.level())) return nullptr;
  const PhysAddr target = format.target(spte);
  std::optional<ShadowPage> child;
  const std::optional<Error> lost = lost_in([&] { child = kvm_.page_of_table(target); });
  if (lost || !child) {
    notes_.push_back(fmt::format("the table {:#x} behind entry {} of {:#x} is unknown: {}",
                                 target.value, index, parent.copy.address.value,
                                 lost ? lost->what() : "no shadow page owns it"));
    return nullptr;
  }
  if (child->level() + 1 != parent.copy.level())
    throw_error(ErrorKind::corrupt, "shadow page {:#x} of level {} hangs below {:#x} of level {}",
                child->address.value, child->level(), parent.copy.address.value,
                parent.copy.level());
  return &page_of(*child);
}

// mmu_pages_add(): whether the batch is full now. Only leaves are looked for first.
bool UnsyncReplay::add(UnsyncBatch& batch, const Page& page, std::int64_t idx) {
  const ShadowPage& sp = page.copy;
  if (sp.unsync && std::any_of(batch.pages.begin(), batch.pages.end(),
                               [&](const UnsyncPage& other) { return other.sp == sp.address; }))
    return false;
  batch.pages.push_back({sp.address, sp.level(), sp.gfn, idx});
  return batch.pages.size() == batch_size;
}

// clear_unsync_child_bit()
void UnsyncReplay::clear_bit(Page& page, unsigned index) {
  std::uint64_t& word = page.copy.unsync_child_bitmap[index / 64];
  const std::uint64_t bit = 1ULL << (index % 64);
  if ((word & bit) != 0) ++cleared_;
  word &= ~bit;
  if (page.copy.unsync_children > 0) {
    --page.copy.unsync_children;
    return;
  }
  // The kernel warns, too. Staying at 0 keeps a wrong count from making us loop.
  if (!page.miscounted)
    notes_.push_back(
        fmt::format("unsync_children of shadow page {:#x} is lower than its bits: "
                    "the kernel would warn here",
                    page.copy.address.value));
  page.miscounted = true;
}

// __mmu_unsync_walk()
UnsyncReplay::Walked UnsyncReplay::walk(Page& page, UnsyncBatch& batch) {
  check_interrupt();
  Walked result = Walked::nothing;
  for (unsigned i = 0; i < entries_per_table; ++i) {
    if (!test_bit(page.copy.unsync_child_bitmap, i)) continue;
    Page* child = child_of(page, i);
    if (child == nullptr) {
      clear_bit(page, i);
    } else if (child->copy.unsync_children != 0) {
      if (add(batch, *child, i)) return Walked::full;
      const Walked below = walk(*child, batch);
      if (below == Walked::full) return below;
      if (below == Walked::nothing)
        clear_bit(page, i);
      else
        result = Walked::some;
    } else if (child->copy.unsync) {
      result = Walked::some;
      if (add(batch, *child, i)) return Walked::full;
    } else {
      clear_bit(page, i);
    }
  }
  return result;
}

std::optional<UnsyncBatch> UnsyncReplay::next() {
  Page& root = pages_.at(root_);
  if (over_ || root.copy.unsync_children == 0) return std::nullopt;
  cleared_ = 0;
  UnsyncBatch batch;
  add(batch, root, -1);
  const Walked walked = walk(root, batch);
  run_steps(batch);
  // mmu_sync_children() stops when a walk finds nothing; one that finds only
  // intermediates and clears nothing would go round for ever.
  over_ = walked == Walked::nothing || cleared_ == 0;
  batch.notes = std::exchange(notes_, {});
  return batch;
}

// mmu_pages_first() and mmu_pages_next(): one step per level-1 page.
void UnsyncReplay::run_steps(UnsyncBatch& batch) {
  std::array<Page*, 6> parent{};  // [level - 2] is the page at `level`; one more than the kernel's
  std::array<unsigned, 6> idx{};
  const unsigned top = batch.pages.front().level;
  if (top < 2) return;
  parent[top - 2] = &pages_.at(batch.pages.front().sp);
  for (std::size_t n = 1; n < batch.pages.size(); ++n) {
    const UnsyncPage& page = batch.pages[n];
    idx[page.level - 1] = static_cast<unsigned>(page.idx);
    Page& state = pages_.at(page.sp);
    if (page.level > 1) {
      parent[page.level - 2] = &state;
      continue;
    }
    UnsyncStep step{n, page.sp, {}};
    for (unsigned level = 0; parent[level] != nullptr; ++level) {
      const ShadowPage& above = parent[level]->copy;
      step.parents.push_back({above.address, above.level(), above.gfn, idx[level]});
    }
    batch.steps.push_back(std::move(step));
    state.copy.unsync = false;
    clear_parents(parent, idx);
  }
}

// mmu_pages_clear_parents()
void UnsyncReplay::clear_parents(const std::array<Page*, 6>& parent,
                                 const std::array<unsigned, 6>& idx) {
  for (unsigned level = 0; parent[level] != nullptr; ++level) {
    clear_bit(*parent[level], idx[level]);
    if (parent[level]->copy.unsync_children != 0) return;
  }
}

}  // namespace kvmscope::kvm
