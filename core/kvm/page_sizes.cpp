#include "core/kvm/page_sizes.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "core/base/interrupt.hpp"
#include "core/kvm/frame_runs.hpp"
#include "core/kvm/host_walk.hpp"
#include "core/kvm/memslots.hpp"
#include "core/kvm/rmap.hpp"
#include "core/kvm/walk.hpp"

namespace kvmscope::kvm {
namespace {

constexpr unsigned largest_level = MemslotArrays::deepest;
constexpr std::uint64_t unknown_size = ~0ULL;

using OnLost = std::function<void(const Error&)>;

constexpr std::uint64_t frames_of(unsigned level) {
  return 1ULL << (9 * (level - 1));
}

// What KVM maps: runs of each level, and the 2 MiB frames whose tables the NX mitigation made.
struct Mapped {
  std::array<FrameRuns, largest_level + 1> levels;
  FrameRuns unknown;
  std::unordered_set<std::uint64_t> nx_frames;  // gfn / 512
};

// The tree of one root of the TDP MMU, inside one memslot.
class TreeReader {
 public:
  TreeReader(const Kvm& kvm, const Memslot& slot, Mapped& into, const OnLost& lost)
      : kvm_(kvm), slot_(slot), into_(into), lost_(lost) {}

  void read(PhysAddr table, unsigned level, std::uint64_t first) {
    check_interrupt();
    Table entries;
    const std::optional<Error> failed = lost_in(
        [&] { kvm_.kernel().physical().read(table, std::as_writable_bytes(std::span(entries))); });
    const std::uint64_t frames = frames_of(level);
    if (failed) {
      into_.unknown.add(first, frames * entries.size(), 1);
      return lost_(*failed);
    }
    const SpteFormat& format = kvm_.spte_format();
    for (unsigned index = 0; index < entries.size(); ++index) {
      const std::uint64_t gfn = first + index * frames;
      if (gfn + frames <= slot_.base.value || gfn >= slot_.base.value + slot_.npages) continue;
      if (format.is_empty(entries[index])) continue;
      const SpteKind kind = format.kind(entries[index], level);
      if (kind == SpteKind::leaf && level <= largest_level)
        into_.levels[level].add(gfn, frames, level);
      else if (kind == SpteKind::table && level > 1)
        go_down(format.target(entries[index]), level, gfn);
    }
  }

 private:
  void go_down(PhysAddr table, unsigned level, std::uint64_t gfn) {
    if (level == 2) {
      const std::optional<Error> failed = lost_in([&] {
        const std::optional<ShadowPage> page = kvm_.page_of_table(table);
        if (page && page->nx_huge_disallowed) into_.nx_frames.insert(gfn / frames_of(2));
      });
      if (failed) lost_(*failed);
    }
    read(table, level - 1, gfn);
  }

  const Kvm& kvm_;
  const Memslot& slot_;
  Mapped& into_;
  const OnLost& lost_;
};

void read_trees(const Kvm& kvm, const Vm& vm, const Memslot& slot, Mapped& into,
                const OnLost& lost) {
  for (const VirtAddr address : kvm.tdp_roots(vm)) {
    const ShadowPage root = kvm.shadow_page(address);
    if (root.role.invalid || root.role.guest_mode || root.role.smm != slot.as_id) continue;
    const TreeStart start = start_of(kvm, root);
    TreeReader(kvm, slot, into, lost).read(start.table, start.level, 0);
    return;  // another one of this address space would map the same
  }
}

void read_rmaps(const Kvm& kvm, const Memslot& slot, const MemslotArrays& arrays, Mapped& into,
                const OnLost& lost) {
  each_rmap_head(
      kvm, slot, arrays,
      [&](const RmapHead& head, std::uint64_t) {
        into.levels[head.level].add(head.gfn.value, frames_of(head.level), head.level);
      },
      lost);
}

// Whether the NX mitigation made the table of the first SPTE that maps a small frame.
bool split_for_nx(const Kvm& kvm, const Memslot& slot, const MemslotArrays& arrays, Gfn gfn) {
  std::optional<VirtAddr> first;
  for (const RmapHead& head : rmap_heads(slot, arrays, gfn))
    if (head.level == 1)
      walk_pte_list(kvm, rmap_value(kvm, head), [&](VirtAddr spte) {
        if (!first) first = spte;
      });
  return first && spte_place(kvm, *first).page.nx_huge_disallowed;
}

// kvm_lpage_info[…].disallow_lpage of one level, read in pieces.
class LargePageInfo {
 public:
  LargePageInfo(const Kvm& kvm, const Memslot& slot, const MemslotArrays& arrays, unsigned level)
      : kvm_(kvm), array_(arrays.lpage_info[level]), count_(slot_elements(slot, level)) {}

  bool disallowed(std::uint64_t index) {
    if (array_.value == 0) return false;
    const std::uint64_t start = index / piece_.size() * piece_.size();
    if (start != start_) {
      const std::uint64_t size = std::min<std::uint64_t>(piece_.size(), count_ - start);
      read_disallow_lpage(kvm_, array_, start, std::span(piece_).first(size));
      start_ = start;
    }
    return piece_[index - start] != 0;
  }

 private:
  const Kvm& kvm_;
  VirtAddr array_;
  std::uint64_t count_;
  std::uint64_t start_ = ~0ULL;
  std::array<std::uint32_t, 1024> piece_{};
};

// The ranges of one memslot.
class SlotSizes {
 public:
  SlotSizes(const Kvm& kvm, const Vm& vm, const Memslot& slot, const OnLost& lost)
      : kvm_(kvm),
        slot_(slot),
        arrays_(memslot_arrays(kvm, slot)),
        has_trees_(kvm.uses_tdp_mmu(vm)),
        shadows_guest_(!kvm.flag("tdp_enabled")),
        info_{LargePageInfo(kvm, slot, arrays_, 2), LargePageInfo(kvm, slot, arrays_, 3)} {
    if (has_trees_) {
      read_trees(kvm, vm, slot, mapped_, lost);
    } else {
      read_rmaps(kvm, slot, arrays_, mapped_, lost);
    }
    for (FrameRuns& runs : mapped_.levels) runs.sort();
    mapped_.unknown.sort();
    read_host(vm, lost);
  }

  void visit(const std::function<void(const SizeRange&)>& visit) {
    std::optional<SizeRange> last;
    const std::uint64_t end = slot_.base.value + slot_.npages;
    for (std::uint64_t gfn = slot_.base.value; gfn < end;) {
      check_interrupt();
      SizeRange range = range_at(gfn, end);
      gfn = range.end.value;
      if (last && last->kvm_level == range.kvm_level && last->host_bytes == range.host_bytes &&
          last->limit == range.limit) {
        last->end = range.end;
        continue;
      }
      if (last) visit(*last);
      last = range;
    }
    if (last) visit(*last);
  }

 private:
  void read_host(const Vm& vm, const OnLost& lost) {
    const std::uint64_t bytes = slot_.npages << page_shift;
    const std::optional<Error> failed = lost_in([&] {
      each_host_page(
          kvm_, vm, slot_.hva, slot_.hva + (bytes - 1),
          [&](std::uint64_t hva, std::uint64_t size) { add_host(hva, size, size); },
          [&](const Error& error, std::uint64_t hva, std::uint64_t size) {
            add_host(hva, size, unknown_size);
            lost(error);
          });
    });
    if (!failed) return;
    add_host(slot_.hva, bytes, unknown_size);
    lost(*failed);
  }

  // In frames of the guest: the part of a host page that lies in the memslot.
  void add_host(std::uint64_t hva, std::uint64_t size, std::uint64_t value) {
    const std::uint64_t first = std::max(hva, slot_.hva);
    const std::uint64_t last = std::min(hva + size, slot_.hva + (slot_.npages << page_shift));
    host_.add(slot_.base.value + ((first - slot_.hva) >> page_shift), (last - first) >> page_shift,
              value);
  }

  SizeRange range_at(std::uint64_t gfn, std::uint64_t end) {
    SizeRange range{.first = {gfn}, .end = {end}};
    for (unsigned level = largest_level; level >= 1; --level) {
      const FrameRuns::Piece piece = mapped_.levels[level].at(gfn);
      range.end.value = std::min(range.end.value, piece.end);
      if (range.kvm_level == 0) range.kvm_level = static_cast<unsigned>(piece.value);
    }
    const FrameRuns::Piece host = host_.at(gfn);
    range.host_bytes = host.value;
    range.end.value = std::min(range.end.value, host.end);
    const FrameRuns::Piece unknown = mapped_.unknown.at(gfn);
    range.end.value = std::min(range.end.value, unknown.end);
    if (host.value == unknown_size) range.host_bytes.reset();
    if (unknown.value != 0) range.kvm_level.reset();
    if (!range.kvm_level) range.limit = SizeLimit::unknown;
    if (!range.kvm_level || *range.kvm_level == 0 || *range.kvm_level == largest_level)
      return range;
    // What limits them can differ from one larger page to the next.
    const std::uint64_t frames = frames_of(*range.kvm_level + 1);
    range.end.value = std::min(range.end.value, (gfn / frames + 1) * frames);
    range.limit = limit_at(gfn, *range.kvm_level + 1, range.host_bytes);
    return range;
  }

  bool is_nx_split(std::uint64_t gfn) const {
    if (has_trees_) return mapped_.nx_frames.contains(gfn / frames_of(2));
    return split_for_nx(kvm_, slot_, arrays_, Gfn{gfn});
  }

  // What speaks against a page of `level` there.
  SizeLimit limit_at(std::uint64_t gfn, unsigned level, std::optional<std::uint64_t> host_bytes) {
    const std::uint64_t frames = frames_of(level);
    const std::uint64_t first = gfn / frames * frames;
    if (first < slot_.base.value || first + frames > slot_.base.value + slot_.npages)
      return SizeLimit::slot_edge;
    if (((slot_.base.value ^ (slot_.hva >> page_shift)) & (frames - 1)) != 0)
      return SizeLimit::misaligned;
    if ((slot_.flags & slot_flag::dirty_log) != 0) return SizeLimit::dirty_log;
    if (level == 2 && is_nx_split(gfn)) return SizeLimit::nx_huge_page;
    if (info_[level - 2].disallowed(slot_index(slot_, Gfn{gfn}, level)))
      return SizeLimit::disallow_lpage;
    if (!host_bytes) return SizeLimit::unknown;
    if (*host_bytes < frames << page_shift) return SizeLimit::host_page;
    return shadows_guest_ ? SizeLimit::guest_page : SizeLimit::not_rebuilt;
  }

  const Kvm& kvm_;
  const Memslot& slot_;
  MemslotArrays arrays_;
  bool has_trees_;  // of the TDP MMU; else rmaps
  bool shadows_guest_;
  std::array<LargePageInfo, 2> info_;
  Mapped mapped_;
  FrameRuns host_;
};

struct LimitName {
  SizeLimit limit;
  std::string_view name;
  std::string_view meaning;
};
constexpr LimitName limit_names[] = {
    {SizeLimit::none, "none", "it cannot be larger"},
    {SizeLimit::slot_edge, "slot_edge", "a larger page would leave the memslot"},
    {SizeLimit::misaligned, "misaligned", "guest and host addresses differ modulo its size"},
    {SizeLimit::dirty_log, "dirty_log", "the memslot's writes are logged page by page"},
    {SizeLimit::nx_huge_page, "nx_huge_page", "NX huge page mitigation: the guest executes there"},
    {SizeLimit::disallow_lpage, "disallow_lpage",
     "shadowed page tables or write-tracking (kvm_lpage_info)"},
    {SizeLimit::host_page, "host_page", "the host's own page is not larger"},
    {SizeLimit::guest_page, "guest_page", "the guest maps no larger page, and KVM shadows that"},
    {SizeLimit::not_rebuilt, "not_rebuilt", "nothing any more: it was built before"},
    {SizeLimit::unknown, "unknown", "what would tell could not be read"},
};

const LimitName& named(SizeLimit limit) {
  return *std::find_if(std::begin(limit_names), std::end(limit_names),
                       [&](const LimitName& one) { return one.limit == limit; });
}

}  // namespace

std::string_view name(SizeLimit limit) {
  return named(limit).name;
}

std::string_view meaning(SizeLimit limit) {
  return named(limit).meaning;
}

void each_size_range(const Kvm& kvm, const Vm& vm, const Memslot& slot,
                     const std::function<void(const SizeRange&)>& visit,
                     const std::function<void(const Error&)>& lost) {
  if (slot.npages == 0) return;
  with_context([&] { return fmt::format("reading the page sizes of memslot {}", slot.id); },
               [&] { SlotSizes(kvm, vm, slot, lost).visit(visit); });
}

}  // namespace kvmscope::kvm
