// The memslots of a VM: an rbtree per address space, or the sorted array of older kernels.

#include "core/kvm/memslots.hpp"

#include "core/base/error.hpp"
#include "core/object/containers.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t most_slots = 65'536;  // KVM_MEM_SLOTS_NUM is at most SHRT_MAX
constexpr std::uint64_t rb_node_size = 24;    // struct rb_node
constexpr std::uint64_t rb_node_in_root = 0;  // rb_root.rb_node

}  // namespace

std::vector<Memslot> Kvm::memslots(const Vm& vm) const {
  const MemslotsFields& set_fields = layout_.memslots();
  const MemslotFields& fields = layout_.memslot();
  std::vector<Memslot> slots;
  unsigned as_id = 0;
  const auto add = [&](VirtAddr address) {
    const StructCopy copy(fields, memory(), address);
    Memslot slot{vm.index,
                 as_id,
                 copy.get_signed(fields.id),
                 {copy.get(fields.base_gfn)},
                 copy.get(fields.npages),
                 copy.get(fields.userspace_addr),
                 copy.get(fields.flags),
                 address};
    if (slot.npages != 0) slots.push_back(slot);
  };
  for (; as_id < layout_.vm().memslots.count(); ++as_id) {
    const VirtAddr set{vm.fields.get(layout_.vm().memslots, as_id)};
    if (set.value == 0) continue;
    const StructCopy copy(set_fields, memory(), set);
    // What follows belongs to this generation.
    copy.find(set_fields.generation);
    with_context([&] { return fmt::format("reading memslots of VM {}", vm.index); },
                 [&] {
                   if (set_fields.gfn_tree.present()) {
                     // Each slot is in up to two sets; node_idx says which of its nodes is this
                     // one's.
                     const std::uint64_t node =
                         fields.gfn_node.offset + rb_node_size * copy.get(set_fields.node_idx);
                     walk_rbtree(
                         memory(), copy.address_of(set_fields.gfn_tree) + rb_node_in_root,
                         [&](VirtAddr at) { add(at - node); }, most_slots);
                     return;
                   }
                   const std::uint64_t used = copy.get(set_fields.used_slots);
                   if (used > most_slots)
                     throw_error(ErrorKind::corrupt, "{} memslots in use", used);
                   const VirtAddr first = copy.address_of(set_fields.memslots);
                   for (std::uint64_t i = 0; i < used; ++i) add(first + i * fields.size());
                 });
  }
  return slots;
}

void read_disallow_lpage(const Kvm& kvm, VirtAddr array, std::uint64_t first,
                         std::span<std::uint32_t> into) {
  const LpageInfoFields& fields = kvm.layout().lpage_info();
  require(fields.disallow_lpage);
  if (fields.size() != sizeof into[0])
    throw_error(ErrorKind::corrupt, "struct kvm_lpage_info has {} bytes, not {}", fields.size(),
                sizeof into[0]);
  kvm.memory().read(array + first * sizeof into[0], std::as_writable_bytes(into));
}

}  // namespace kvmscope::kvm
