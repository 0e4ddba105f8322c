#include "core/kvm/access_case.hpp"

#include <algorithm>

#include "core/kvm/memslots.hpp"
#include "core/kvm/rmap.hpp"

namespace kvmscope::kvm {
namespace {

// The virtual address that leads to the frame is not known, but an MMIO SPTE holds the frame
// itself. KVM makes them of one page: what has no memslot is mapped no larger.
std::optional<MmioSpte> find_mmio(const AccessCase& c, const TreeStart& root,
                                  const MmioFormat& format) {
  std::optional<MmioSpte> found;
  const auto visit = [&](const Entry& entry, bool) {
    const bool is_it =
        entry.kind == SpteKind::mmio && format.gfn(entry.spte) == to_gfn(c.access.gpa);
    if (is_it && !found) found = {entry.spte, entry.spte_address};
  };
  walk_tree(c.kvm, root, {.level = 1}, {.visit = visit, .enter = [] {}, .leave = [] {}});
  return found;
}

// A large page of which a part was cleared in the log loses MMU-writable as one with a page table
// that KVM shadows does (kvm_mmu_slot_gfn_write_protect()); the latter is counted in its
// kvm_lpage_info.
bool is_only_logged(const AccessCase& c, const SptePlace& place) {
  const SpteFormat& format = c.kvm.spte_format();
  if ((place.spte & format.mmu_writable) != 0) return true;
  const unsigned level = place.page.level();
  if (level == 1 || level > MemslotArrays::deepest || (place.spte & format.host_writable) == 0 ||
      guest_allowed_writes(c.kvm, place) != true)
    return false;
  std::uint32_t tables = 0;
  read_disallow_lpage(c.kvm, memslot_arrays(c.kvm, *c.access.slot).lpage_info[level],
                      slot_index(*c.access.slot, to_gfn(c.access.gpa), level), {&tables, 1});
  return tables == 0;
}

}  // namespace

bool AccessCase::slot_has(std::uint64_t flag) const {
  return access.slot != nullptr && (access.slot->flags & flag) != 0;
}

bool AccessCase::host_is(HostState state) const {
  return access.slot != nullptr && access.host != nullptr && access.host->state == state;
}

const Entry* AccessCase::step(SpteKind kind) const {
  if (access.root_steps == nullptr) return nullptr;
  for (const PathStep& step : *access.root_steps)
    if (step.entry.kind == kind) return &step.entry;
  return nullptr;
}

const std::optional<MmioSpte>& AccessCase::mmio_spte(const MmioFormat& format) const {
  if (mmio_) return *mmio_;
  std::optional<MmioSpte> found;
  if (const Entry* entry = step(SpteKind::mmio))
    found = {entry->spte, entry->spte_address};
  else if (access.virtual_root != nullptr)
    found = find_mmio(*this, *access.virtual_root, format);
  return mmio_.emplace(found);
}

const OwnerMapping& AccessCase::owner_mapping() const {
  if (owner_) return *owner_;
  OwnerMapping found;
  found.lost = lost_in([&] {
    const VirtAddr mm = vm.fields.pointer(kvm.layout().vm().mm);
    found.vma = find_vma(kvm.kernel().layout_types(), kvm.memory(), mm, access.hva);
  });
  return owner_.emplace(found);
}

const Mapping* AccessCase::mapping() const {
  if (access.sptes == nullptr) return nullptr;
  for (const Mapping& one : *access.sptes)
    if (one.place) return &one;
  return nullptr;
}

const Mapping* AccessCase::writable() const {
  if (access.sptes == nullptr) return nullptr;
  for (const Mapping& one : *access.sptes)
    if (one.place && kvm.spte_format().writable(one.place->spte)) return &one;
  return nullptr;
}

bool AccessCase::all_have(std::uint64_t mask) const {
  return mapping() != nullptr && std::ranges::all_of(*access.sptes, [&](const Mapping& one) {
           return !one.place || (one.place->spte & mask) != 0;
         });
}

bool AccessCase::only_logged() const {
  return mapping() != nullptr && std::ranges::all_of(*access.sptes, [&](const Mapping& one) {
           return !one.place || is_only_logged(*this, *one.place);
         });
}

PhysAddr AccessCase::target(const Mapping& one) const {
  return kvm.spte_format().target(one.place->spte) +
         access.gpa.value % leaf_size(one.place->page.level());
}

}  // namespace kvmscope::kvm
