// Rules about memslots and what they say about frames: no huge pages, no writes.

#include <algorithm>
#include <map>
#include <set>

#include "core/kvm/audit/describe.hpp"

namespace kvmscope::kvm::audit {
namespace {

constexpr std::uint64_t most_pages = (1ULL << 31) - 1;  // KVM_MEM_MAX_NR_PAGES
constexpr std::uint32_t count_bits = ~(1U << 31);       // KVM_LPAGE_MIXED_FLAG is no count

Finding about_slot(const Memslot& slot, const std::string& said) {
  Finding finding;
  finding.object = Object::slot;
  finding.address = slot.address;
  finding.text = fmt::format("memslot {} of address space {} (gfn {:#x} to {:#x}) {}", slot.id,
                             slot.as_id, slot.base.value, (slot.base + slot.npages).value, said);
  // Frames of others look as if they had no slot, or this one.
  finding.wide = true;
  return finding;
}

void check_slot(const Memslot& slot, Report& report) {
  if (!is_aligned(slot.hva, page_size))
    report.add(
        about_slot(slot, fmt::format("has userspace_addr {:#x}, which is not aligned", slot.hva)));
  if (slot.npages > most_pages || (slot.base + slot.npages) < slot.base)
    report.add(
        about_slot(slot, fmt::format("has npages {:#x}, more than KVM allows", slot.npages)));
}

void check_slots(const Model& model, Report& report) {
  for (const std::string& text : model.slot_faults()) report.add(about_vm(model, text));
  const bool ascending = model.kvm().layout().memslots().gfn_tree.present();
  std::set<std::pair<unsigned, std::int64_t>> ids;
  const Memslot* last = nullptr;
  for (const SlotArrays& one : model.slots()) {
    const Memslot& slot = one.slot;
    check_slot(slot, report);
    if (!ids.emplace(slot.as_id, slot.id).second)
      report.add(about_slot(slot, "has an id that another one has, too"));
    if (last != nullptr && last->as_id == slot.as_id) {
      const Memslot& low = ascending ? *last : slot;
      const Memslot& high = ascending ? slot : *last;
      if (low.base > high.base)
        report.add(about_slot(slot, fmt::format("comes {} memslot {} in the tree of gfns",
                                                ascending ? "behind" : "before", last->id)));
      else if (low.base + low.npages > high.base)
        report.add(about_slot(slot, fmt::format("overlaps memslot {}", last->id)));
    }
    last = &slot;
  }
}

// ---- lpage_info

const std::vector<std::uint32_t>* counts_of(const SlotArrays& slot, unsigned level) {
  const std::vector<std::uint32_t>& counts = slot.disallow_lpage[level];
  return counts.empty() ? nullptr : &counts;
}

// Pages that shadow tables in one large page's worth of guest memory.
struct Shadowing {
  std::uint32_t pages = 0;
  const Node* first = nullptr;
};

void check_lpage(const Model& model, Report& report) {
  std::map<std::tuple<const SlotArrays*, unsigned, std::uint64_t>, Shadowing> found;
  for (const Node& node : model.nodes()) {
    if (!node.has_gptes() || node.page.role.invalid) continue;
    const SlotArrays* slot = model.slot_of(node.page.role.smm, node.page.gfn);
    if (slot == nullptr || slot->being_changed()) continue;
    for (unsigned level = 2; level <= MemslotArrays::deepest; ++level) {
      Shadowing& one = found[{slot, level, slot_index(slot->slot, node.page.gfn, level)}];
      ++one.pages;
      if (one.first == nullptr) one.first = &node;
    }
  }
  for (const auto& [key, one] : found) {
    const auto& [slot, level, index] = key;
    const std::vector<std::uint32_t>* counts = counts_of(*slot, level);
    if (counts == nullptr || ((*counts)[index] & count_bits) >= one.pages) continue;
    report.add(about(*one.first,
                     fmt::format("and others, {} pages in all, shadow tables in the {} large page "
                                 "around it, but disallow_lpage [{}] of memslot {} is {}",
                                 one.pages, level == 2 ? "2 MiB" : "1 GiB", index, slot->slot.id,
                                 (*counts)[index] & count_bits)));
  }
}

void check_huge(const Model& model, const TableEntry& entry, Report& report) {
  const unsigned level = entry.node.page.level();
  if (entry.kind != SpteKind::leaf || level < 2 || level > MemslotArrays::deepest) return;
  const SlotArrays* slot = model.slot_of(entry.node.page.role.smm, entry.gfn);
  if (slot == nullptr || slot->being_changed()) return;
  const std::uint64_t frames = std::uint64_t{1} << (9 * (level - 1));
  if (!holds(slot->slot, entry.gfn + (frames - 1))) {
    report.add(about(entry, fmt::format("maps {} frames from {:#x}, beyond the end of memslot {}",
                                        frames, entry.gfn.value, slot->slot.id)));
    return;
  }
  const std::vector<std::uint32_t>* counts = counts_of(*slot, level);
  if (counts == nullptr || !model.format().writable(entry.spte)) return;
  const std::uint64_t index = slot_index(slot->slot, entry.gfn, level);
  if ((*counts)[index] != 0)
    report.add(about(entry, fmt::format("is a writable large page at gfn {:#x}, but disallow_lpage "
                                        "[{}] of memslot {} is {:#x}",
                                        entry.gfn.value, index, slot->slot.id, (*counts)[index])));
}

// ---- write protection

// KVM must see each write to these tables (kvm_mmu_slot_gfn_write_protect()).
bool is_protected(const Model& model, const Node& node) {
  return node.has_gptes() && !node.page.role.invalid && !node.page.unsync &&
         !model.obsolete(node.page);
}

void check_protected(const Model& model, Report& report) {
  std::map<std::pair<unsigned, Gfn>, const Node*> tables;
  for (const Node& node : model.nodes())
    if (is_protected(model, node))
      tables.emplace(std::pair(node.page.role.smm, node.page.gfn), &node);
  for (const Leaf& leaf : model.leaves()) {
    if (!model.format().writable(leaf.spte)) continue;
    const std::uint64_t frames = std::uint64_t{1} << (9 * (leaf.node->page.level() - 1));
    const auto table = tables.lower_bound({leaf.node->page.role.smm, leaf.gfn});
    if (table == tables.end() || table->first.first != leaf.node->page.role.smm ||
        table->first.second - leaf.gfn >= frames)
      continue;
    Finding finding =
        about(leaf, fmt::format("lets the guest write gfn {:#x}, the table of {}, which is not "
                                "unsync",
                                table->first.second.value, words(table->second->page)));
    finding.related = {table->second->page.address};
    report.add(std::move(finding));
  }
}

// The first array of kvm_arch_memory_slot.gfn_track is that of KVM_PAGE_TRACK_WRITE.
std::uint16_t write_count(const Model& model, const Memslot& slot, Gfn gfn) {
  const Field& field = model.kvm().layout().memslot_arch().gfn_track;
  const VirtAddr array{model.kvm().memory().u64(slot.address + field.offset)};
  if (array.value == 0) return 0;
  return model.kvm().memory().value<std::uint16_t>(array + 2 * slot_index(slot, gfn, 1));
}

void check_tracked(const Model& model, Report& report) {
  std::map<std::pair<const SlotArrays*, Gfn>, Shadowing> found;
  for (const Node& node : model.nodes()) {
    if (!node.has_gptes() || node.page.role.invalid || node.page.level() == 1) continue;
    const SlotArrays* slot = model.slot_of(node.page.role.smm, node.page.gfn);
    if (slot == nullptr || slot->being_changed()) continue;
    Shadowing& one = found[{slot, node.page.gfn}];
    ++one.pages;
    if (one.first == nullptr) one.first = &node;
  }
  for (const auto& [key, one] : found)
    model.attempt([&, slot = key.first, gfn = key.second, &of = one] {
      const std::uint16_t count = write_count(model, slot->slot, gfn);
      if (count < of.pages)
        report.add(about(*of.first, fmt::format("is one of {} pages that shadow the table at gfn "
                                                "{:#x}, but its write-tracking count is {}",
                                                of.pages, gfn.value, count)));
    });
}

std::string with_tracking(const Model& model) {
  return without_member(model.kvm().layout().memslot_arch().gfn_track, "arch.gfn_write_track");
}

}  // namespace

std::vector<Rule> slot_rules() {
  return {
      {.name = "slots",
       .what =
           "memslots of an address space do not overlap, are in order of their gfns, have ids of "
           "their own, aligned userspace_addr and no more pages than KVM allows",
       .when = "",
       .source = "kvm_set_memory_region, kvm_check_memslot_overlap, kvm_insert_gfn_node",
       .breaks = {"rmap", "lpage-info", "huge-page", "write-track", "host-pfn", "mmio",
                  "guest-entry"},
       .reads = part::slots,
       .check = check_slots},
      {.name = "lpage-info",
       .what =
           "disallow_lpage of each large page's worth of guest memory is at least the number of "
           "pages that shadow tables in it",
       .when = "memslots that are not being changed",
       .source = "account_shadowed, kvm_mmu_gfn_disallow_lpage",
       .reads = part::lists | part::slots,
       .whole = part::slots,
       .check = check_lpage},
      {.name = "huge-page",
       .what = "a huge leaf lies in one memslot, and is writable only where disallow_lpage is 0",
       .when = "memslots that are not being changed",
       .source = "kvm_mmu_max_mapping_level, kvm_mmu_hugepage_adjust",
       .breaks = {"rmap"},
       .reads = part::lists | part::slots | part::tables,
       .whole = part::slots,
       .entry = check_huge},
      {.name = "write-protect",
       .what =
           "no SPTE lets the guest write a table that a shadow page follows without being unsync",
       .when = "valid pages that are not obsolete",
       .source = "kvm_vcpu_write_protect_gfn, mmu_try_to_unsync_pages",
       .reads = part::lists | part::tables,
       .check = check_protected},
      {.name = "write-track",
       .what = "the write-tracking count of a frame is at least the number of pages above level 1 "
               "that shadow a table in it",
       .when =
           "kernels with arch.gfn_write_track or gfn_track; memslots that are not being changed",
       .source = "account_shadowed, __kvm_write_track_add_gfn",
       .reads = part::lists | part::slots,
       .whole = part::slots,
       .excuse = with_tracking,
       .check = check_tracked},
  };
}

}  // namespace kvmscope::kvm::audit
