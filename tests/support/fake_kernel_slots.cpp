// The memslots of a fake VM: a tree or a sorted array, as the kernel's era has it.

#include <algorithm>

#include "tests/support/fake_kernel.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t most_slots = 40;  // room behind a set whose array is flexible

// Which of a slot's two nodes a set uses; they differ, so that a reader has to look.
unsigned node_idx(unsigned as_id) {
  return as_id == 0 ? 1 : 0;
}

}  // namespace

void FakeVm::make_slot_sets() {
  FakeMemory& memory = kernel_.memory();
  for (unsigned as_id = 0; as_id < sets_.size(); ++as_id) {
    sets_[as_id] = memory.allocate(memory.size_of("kvm_memslots") +
                                   most_slots * memory.size_of("kvm_memory_slot"));
    memory.try_set(sets_[as_id], "kvm_memslots", {"node_idx"}, node_idx(as_id));
    set(fmt::format("memslots[{}]", as_id), sets_[as_id].value);
  }
}

void FakeVm::add_slot(const FakeSlot& slot) {
  std::vector<PlacedSlot>& slots = slots_.at(slot.as_id);
  const auto after = std::find_if(slots.begin(), slots.end(), [&](const PlacedSlot& other) {
    return other.slot.base > slot.base;
  });
  slots.insert(after, {slot, {}});
  if (kernel_.memory().has("kvm_memslots", "gfn_tree"))
    write_slot_tree(slot.as_id);
  else
    write_slot_array(slot.as_id);
}

VirtAddr FakeVm::make_slot(const FakeSlot& slot) {
  const VirtAddr at = kernel_.memory().allocate("kvm_memory_slot");
  write_slot(at, slot);
  return at;
}

void FakeVm::write_slot(VirtAddr at, const FakeSlot& slot) {
  FakeMemory& memory = kernel_.memory();
  memory.set(at, "kvm_memory_slot", "base_gfn", slot.base);
  memory.set(at, "kvm_memory_slot", "npages", slot.npages);
  memory.set(at, "kvm_memory_slot", "userspace_addr", slot.hva);
  memory.set(at, "kvm_memory_slot", "flags", slot.flags);
  memory.set(at, "kvm_memory_slot", "id", static_cast<std::uint64_t>(slot.id));
  if (slot.rmaps) make_arrays(at, slot);
}

void FakeVm::write_slot_tree(unsigned as_id) {
  for (PlacedSlot& placed : slots_[as_id])
    if (placed.address.value == 0) placed.address = make_slot(placed.slot);
  const VirtAddr top = write_subtree(as_id, 0, slots_[as_id].size(), {});
  kernel_.memory().set(sets_[as_id], "kvm_memslots", "gfn_tree.rb_node", top.value);
}

// The balanced tree of slots [from, to); returns the node at its top.
VirtAddr FakeVm::write_subtree(unsigned as_id, std::size_t from, std::size_t to, VirtAddr parent) {
  if (from == to) return {};
  const std::size_t middle = from + (to - from) / 2;
  FakeMemory& memory = kernel_.memory();
  const VirtAddr node = memory.member(slots_[as_id][middle].address, "kvm_memory_slot",
                                      fmt::format("gfn_node[{}]", node_idx(as_id)));
  memory.set(node, "rb_node", "parent_color", parent.value | 1);  // black
  memory.set(node, "rb_node", "rb_left", write_subtree(as_id, from, middle, node).value);
  memory.set(node, "rb_node", "rb_right", write_subtree(as_id, middle + 1, to, node).value);
  return node;
}

// Sorted by descending base_gfn.
void FakeVm::write_slot_array(unsigned as_id) {
  FakeMemory& memory = kernel_.memory();
  VirtAddr at = memory.member(sets_[as_id], "kvm_memslots", "memslots");
  memory.set(sets_[as_id], "kvm_memslots", "used_slots", slots_[as_id].size());
  for (auto placed = slots_[as_id].rbegin(); placed != slots_[as_id].rend(); ++placed) {
    placed->address = at;
    write_slot(at, placed->slot);
    at += memory.size_of("kvm_memory_slot");
  }
}

}  // namespace kvmscope
