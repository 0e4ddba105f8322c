// The arrays of a fake memslot, lists of SPTEs, and the page hash.

#include <algorithm>
#include <bit>

#include "tests/support/fake_kernel.hpp"

namespace kvmscope {
namespace {

constexpr unsigned levels = 3;
constexpr std::uint64_t pointed_buckets = 4096;

std::uint64_t elements(const FakeSlot& slot, unsigned level) {
  const unsigned shift = 9 * (level - 1);
  return ((slot.base + slot.npages - 1) >> shift) - (slot.base >> shift) + 1;
}

}  // namespace

void FakeVm::make_arrays(VirtAddr at, const FakeSlot& slot) {
  FakeMemory& memory = kernel_.memory();
  for (unsigned level = 1; level <= levels; ++level)
    memory.set(at, "kvm_memory_slot", fmt::format("arch.rmap[{}]", level - 1),
               memory.allocate(8 * elements(slot, level)).value);
  for (unsigned level = 2; level <= levels; ++level)
    memory.set(at, "kvm_memory_slot", fmt::format("arch.lpage_info[{}]", level - 2),
               memory.allocate(4 * elements(slot, level)).value);
  memory.set(at, "kvm_memory_slot", {"arch.gfn_write_track", "arch.gfn_track[0]"},
             memory.allocate(2 * slot.npages).value);
}

VirtAddr FakeVm::rmap_head(std::uint64_t gfn, unsigned level, unsigned as_id) const {
  const auto placed =
      std::find_if(slots_.at(as_id).begin(), slots_.at(as_id).end(), [&](const PlacedSlot& one) {
        return gfn >= one.slot.base && gfn < one.slot.base + one.slot.npages;
      });
  const unsigned shift = 9 * (level - 1);
  const VirtAddr array{kernel_.memory().get(placed->address, "kvm_memory_slot",
                                            fmt::format("arch.rmap[{}]", level - 1))};
  return array + 8 * ((gfn >> shift) - (placed->slot.base >> shift));
}

void FakeVm::reverse(const FakePage& page, unsigned index, std::uint64_t gfn, unsigned as_id) {
  const VirtAddr head = rmap_head(gfn, page.level, as_id);
  rmaps_[head].push_back(page.entry(index));
  write_spte_list(head, rmaps_[head]);
}

// One SPTE stands in the head itself, several in chunks. Before v6.4 the last chunk is the one
// with room, after that the first.
void FakeVm::write_spte_list(VirtAddr head, const std::vector<VirtAddr>& sptes) {
  FakeMemory& memory = kernel_.memory();
  if (sptes.size() == 1) return memory.poke(head, sptes.front().value);
  const std::size_t room = memory.element_count("pte_list_desc", "sptes");
  const bool newest_first = memory.has("pte_list_desc", "tail_count");
  VirtAddr more;
  std::size_t end = sptes.size();
  while (end > 0) {
    const std::size_t rest = end % room;
    const bool partial = rest != 0 && (newest_first ? end < room : true);
    const std::size_t size = partial ? rest : std::min(room, end);
    const VirtAddr chunk = memory.allocate("pte_list_desc");
    for (std::size_t i = 0; i < size; ++i)
      memory.set(chunk, "pte_list_desc", fmt::format("sptes[{}]", i), sptes[end - size + i].value);
    memory.try_set(chunk, "pte_list_desc", {"spte_count"}, size);
    memory.set(chunk, "pte_list_desc", "more", more.value);
    more = chunk;
    end -= size;
  }
  memory.poke(head, more.value | 1);
}

// ---- the page hash: pages of equal gfn meet, whatever the kernel's own hash function

void FakeVm::make_hash() {
  FakeMemory& memory = kernel_.memory();
  if (memory.has("kvm", "arch.mmu_page_hash[0]")) return;
  set("arch.mmu_page_hash", memory.allocate(8 * pointed_buckets).value);
}

// kvm_page_table_hashfn()
VirtAddr FakeVm::bucket(std::uint64_t gfn) const {
  const auto place = [&](std::uint64_t buckets) {
    return 8 * (gfn * 0x61c8864680b583eb >> (64 - std::countr_zero(buckets)));
  };
  FakeMemory& memory = kernel_.memory();
  if (memory.has("kvm", "arch.mmu_page_hash[0]"))
    return memory.member(address_, "kvm", "arch.mmu_page_hash") +
           place(memory.element_count("kvm", "arch.mmu_page_hash"));
  return VirtAddr{memory.get(address_, "kvm", "arch.mmu_page_hash")} + place(pointed_buckets);
}

void FakeVm::hash_page(const FakePage& page, std::uint64_t gfn) {
  FakeMemory& memory = kernel_.memory();
  const VirtAddr head = bucket(gfn);
  const VirtAddr node = memory.member(page.address, "kvm_mmu_page", "hash_link");
  const VirtAddr first{memory.peek(head)};
  memory.poke(node, first.value);     // next
  memory.poke(node + 8, head.value);  // pprev
  if (first.value != 0) memory.poke(first + 8, node.value);
  memory.poke(head, node.value);
}

}  // namespace kvmscope
