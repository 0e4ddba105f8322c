#include "core/kernel/vmas.hpp"

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// ---- the maple tree: lib/maple_tree.c

constexpr unsigned max_height = 31;           // MAPLE_HEIGHT_MAX
constexpr std::uint64_t node_mask = 0xff;     // nodes are aligned to 256 bytes: the rest is flags
constexpr std::uint64_t max_internal = 4096;  // smaller ones are no nodes: xa_is_node()
constexpr std::uint64_t internal_bits = 0x3;  // xa_is_internal(), in the root
constexpr std::uint64_t internal_entry = 0x2;

// enum maple_type, in bits 3 to 6 of what points to a node.
enum class MapleType : unsigned { dense, leaf_64, range_64, arange_64 };
MapleType type_of(std::uint64_t encoded) {
  return static_cast<MapleType>(encoded >> 3 & 0xf);
}

// The slot that holds `index`: pivots are the last indexes of the slots, and end with a 0.
std::uint64_t slot_for(const StructCopy& node, const Field& pivots, const Field& slots,
                       std::uint64_t index) {
  std::uint64_t at = 0;
  while (at < pivots.count()) {
    const std::uint64_t pivot = node.get(pivots, at);
    if (index <= pivot || (at > 0 && pivot == 0)) break;
    ++at;
  }
  return node.get(slots, at);
}

// The entry at `index`; 0: none.
std::uint64_t maple_load(const Types& types, const VirtReader& memory, std::uint64_t root,
                         std::uint64_t index) {
  const bool is_node = (root & internal_bits) == internal_entry && root > max_internal;
  if (!is_node) return index == 0 ? root : 0;
  const MapleNodeFields fields(types);
  std::uint64_t encoded = root;
  for (unsigned height = 0; height < max_height; ++height) {
    const MapleType type = type_of(encoded);
    const VirtAddr at{encoded & ~node_mask};
    const StructCopy node(fields, memory, at);
    switch (type) {
      case MapleType::leaf_64:
        return slot_for(node, fields.range_pivots, fields.range_slots, index);
      case MapleType::range_64:
        encoded = slot_for(node, fields.range_pivots, fields.range_slots, index);
        break;
      case MapleType::arange_64:
        encoded = slot_for(node, fields.arange_pivots, fields.arange_slots, index);
        break;
      default:
        throw_error(ErrorKind::corrupt, "the maple node at {:#x} is of type {}", at.value,
                    static_cast<unsigned>(type));
    }
  }
  throw_error(ErrorKind::corrupt, "the maple tree at {:#x} is deeper than {} nodes",
              root & ~node_mask, max_height);
}

Vma vma_of(const StructCopy& copy, const VmaFields& fields) {
  return {.address = copy.address(),
          .start = copy.get(fields.start),
          .end = copy.get(fields.end),
          .flags = copy.get(fields.flags),
          .has_userfaultfd = copy.find(fields.userfaultfd).value_or(0) != 0};
}

std::optional<Vma> find_in_maple(const Types& types, const VirtReader& memory, std::uint64_t root,
                                 std::uint64_t address) {
  const std::uint64_t entry = maple_load(types, memory, root, address);
  if (entry == 0) return std::nullopt;
  const VmaFields fields(types);
  const Vma vma = vma_of(StructCopy(fields, memory, {entry}), fields);
  if (address < vma.start || address >= vma.end)
    throw_error(ErrorKind::corrupt,
                "the maple tree leads from {:#x} to the vm_area_struct at {:#x}, of {:#x} to {:#x}",
                address, entry, vma.start, vma.end);
  return vma;
}

// ---- the red-black tree

std::optional<Vma> find_in_rb(const Types& types, const VirtReader& memory, std::uint64_t root,
                              std::uint64_t address) {
  constexpr unsigned max_depth = 128;
  const VmaFields fields(types);
  require(fields.rb_node);
  std::uint64_t node = root;
  for (unsigned depth = 0; node != 0; ++depth) {
    if (depth == max_depth)
      throw_error(ErrorKind::corrupt, "mm_rb is deeper than {} nodes", max_depth);
    const StructCopy copy(fields, memory, VirtAddr{node} - fields.rb_node.offset);
    const Vma vma = vma_of(copy, fields);
    if (address >= vma.start && address < vma.end) return vma;
    node = copy.get(address < vma.start ? fields.rb_left : fields.rb_right);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Vma> find_vma(const Types& types, const VirtReader& memory, VirtAddr mm,
                            std::uint64_t address) {
  return with_context(
      [&] {
        return fmt::format("looking for the mapping of {:#x} in the mm at {:#x}", address,
                           mm.value);
      },
      [&]() -> std::optional<Vma> {
        const MmMappingsFields fields(types);
        const StructCopy copy(fields, memory, mm);
        if (fields.maple_root.present())
          return find_in_maple(types, memory, copy.get(fields.maple_root), address);
        require(fields.rb_root);
        return find_in_rb(types, memory, copy.get(fields.rb_root), address);
      });
}

}  // namespace kvmscope
