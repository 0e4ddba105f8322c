// The rule about reverse maps: which SPTEs map a frame.

#include <algorithm>

#include "core/kvm/audit/describe.hpp"

namespace kvmscope::kvm::audit {
namespace {

constexpr std::uint64_t head_size = 8;  // struct kvm_rmap_head

// An SPTE with the kvm_rmap_head that it is in, or has to be in.
struct Place {
  VirtAddr spte;
  VirtAddr head;
  const Leaf* leaf = nullptr;      // of those that have to be
  const Listed* listed = nullptr;  // of those that are
};

bool before(const Place& a, const Place& b) {
  return a.spte != b.spte ? a.spte < b.spte : a.head < b.head;
}

// Every leaf of a shadow page; what has no rmap at all is a finding by itself.
std::vector<Place> places_of_leaves(const Model& model, Report& report) {
  std::vector<Place> places;
  for (const Leaf& leaf : model.leaves()) {
    const ShadowPage& page = leaf.node->page;
    if (page.tdp_mmu) continue;
    const SlotArrays* slot = model.slot_of(page.role.smm, leaf.gfn);
    if (slot == nullptr) {
      report.add(
          about(leaf, fmt::format("maps gfn {:#x}, which is in no memslot", leaf.gfn.value)));
      continue;
    }
    if (slot->being_changed()) continue;
    const VirtAddr array = slot->arrays.rmap[page.level()];
    if (array.value == 0) {
      report.add(
          about(leaf, fmt::format("maps gfn {:#x}, but memslot {} has no rmaps of that level",
                                  leaf.gfn.value, slot->slot.id)));
      continue;
    }
    places.push_back({leaf.at, array + head_size * slot_index(slot->slot, leaf.gfn, page.level()),
                      &leaf, nullptr});
  }
  return places;
}

std::vector<Place> places_without(const std::vector<Place>& places,
                                  const std::vector<Place>& others) {
  std::vector<Place> rest;
  std::ranges::set_difference(places, others, std::back_inserter(rest), before);
  return rest;
}

Finding not_in_rmap(const Place& place) {
  Finding finding =
      about(*place.leaf, fmt::format("maps gfn {:#x}, but is not in the rmap of that at {:#x}",
                                     place.leaf->gfn.value, place.head.value));
  finding.related = {place.head};
  return finding;
}

Finding no_leaf(const Model& model, const Place& place) {
  const RmapHead& head = place.listed->head;
  const Node* owner = model.node_of_table({align_down(place.spte.value, page_size)});
  Finding finding;
  finding.object = Object::rmap;
  finding.address = head.address;
  finding.text = fmt::format(
      "the rmap of gfn {:#x}, level {}, at {:#x} lists the SPTE at {:#x}, {}", head.gfn.value,
      head.level, head.address.value, place.spte.value,
      owner == nullptr ? std::string("which is in the table of no shadow page")
                       : fmt::format("[{}] of {}, which does not map that",
                                     place.spte.value % page_size / 8, words(owner->page)));
  finding.related = {place.spte};
  if (owner != nullptr) {
    finding.page = owner->page;
    finding.index = static_cast<unsigned>(place.spte.value % page_size / 8);
  }
  return finding;
}

void check_rmaps(const Model& model, Report& report) {
  if (!model.slots_known()) return;
  std::vector<Place> needed = places_of_leaves(model, report);
  std::vector<Place> there;
  for (const Listed& listed : model.rmaps())
    there.push_back({listed.spte, listed.head.address, nullptr, &listed});
  std::ranges::sort(needed, before);
  std::ranges::sort(there, before);
  for (const Place& place : places_without(needed, there)) report.add(not_in_rmap(place));
  for (const Place& place : places_without(there, needed)) report.add(no_leaf(model, place));
}

}  // namespace

std::vector<Rule> rmap_rules() {
  constexpr unsigned all = part::lists | part::slots | part::tables | part::rmaps;
  return {
      {.name = "rmap",
       .what = "each leaf of a shadow page maps a frame of a memslot and is in its rmap of the "
               "leaf's level, and each SPTE there is such a leaf",
       .when = "shadow pages: the TDP MMU has no rmaps; memslots that are not being changed",
       .source = "rmap_add, rmap_remove",
       .reads = all,
       .whole = all,
       .check = check_rmaps},
  };
}

}  // namespace kvmscope::kvm::audit
