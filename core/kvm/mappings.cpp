#include "core/kvm/mappings.hpp"

#include "core/kvm/walk.hpp"

namespace kvmscope::kvm {
namespace {

void add_from_rmaps(const Kvm& kvm, const Memslot& slot, Gfn gfn, std::vector<Mapping>& into) {
  for (const RmapHead& head : rmap_heads(slot, memslot_arrays(kvm, slot), gfn))
    walk_pte_list(kvm, rmap_value(kvm, head), [&](VirtAddr spte) {
      Mapping mapping{.level = head.level, .gfn = head.gfn, .spte_address = spte, .place = {}};
      mapping.lost = lost_in([&] { mapping.place = spte_place(kvm, spte); });
      into.push_back(std::move(mapping));
    });
}

void add_from_tree(const Kvm& kvm, const ShadowPage& root, Gfn gfn, std::vector<Mapping>& into) {
  const std::vector<PathStep> steps = walk_path(kvm, start_of(kvm, root), to_gpa(gfn).value);
  const PathStep& last = steps.back();
  if (last.lost) throw Error(*last.lost);
  if (last.entry.kind != SpteKind::leaf) return;
  Mapping mapping{.level = last.entry.level,
                  .gfn = to_gfn(GuestPhysAddr{last.entry.address}),
                  .spte_address = last.entry.spte_address,
                  .tdp_mmu = true,
                  .place = {},
                  .lost = last.parent_lost};
  if (last.parent) mapping.place = SptePlace{*last.parent, last.entry.index, last.entry.spte};
  if (!mapping.place && !mapping.lost)
    mapping.lost = Error(ErrorKind::corrupt, "no shadow page has its table there");
  into.push_back(std::move(mapping));
}

}  // namespace

std::vector<Mapping> mappings_of(const Kvm& kvm, const Vm& vm, const Memslot& slot, Gfn gfn) {
  std::vector<Mapping> mappings;
  add_from_rmaps(kvm, slot, gfn, mappings);
  for (const VirtAddr address : kvm.tdp_roots(vm)) {
    const ShadowPage root = kvm.shadow_page(address);
    if (root.role.smm == slot.as_id) add_from_tree(kvm, root, gfn, mappings);
  }
  return mappings;
}

}  // namespace kvmscope::kvm
