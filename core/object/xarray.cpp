// The xarray part of containers.hpp.

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_set>

#include "core/base/interrupt.hpp"
#include "core/object/containers.hpp"
#include "core/object/links.hpp"

namespace kvmscope {
namespace {

// Entries of include/linux/xarray.h: internal ones have 2 in their low bits.
constexpr std::uint64_t retry_entry = 256 << 2 | 2;
constexpr std::uint64_t zero_entry = 257 << 2 | 2;

bool is_internal(std::uint64_t entry) {
  return (entry & 3) == 2;
}
bool is_node(std::uint64_t entry) {
  return is_internal(entry) && entry > 4096;
}

class XArray {
 public:
  XArray(const VirtReader& memory, const XArrayLayout& layout, VirtAddr at)
      : memory_(memory), layout_(layout), at_(at) {
    start_ = std::min(layout.shift, layout.slots);
    const bool sane = std::has_single_bit(layout.slot_count) && layout.slot_count > 1 &&
                      layout.slot_count <= 64 && layout.shift < 512 && layout.slots < 512;
    if (!sane) throw_error(ErrorKind::corrupt, "struct xa_node has a layout that makes no sense");
    bits_ = static_cast<unsigned>(std::countr_zero(layout.slot_count));
  }

  std::optional<std::uint64_t> load(std::uint64_t index) const {
    std::uint64_t entry = head();
    if (!is_node(entry)) return index == 0 ? value(entry) : std::nullopt;
    std::optional<unsigned> above;
    while (is_node(entry)) {
      const Node node = read(entry, above);
      const std::uint64_t slot = index >> node.shift;
      if (!above && slot >= layout_.slot_count) return std::nullopt;
      entry = node.slots[slot & (layout_.slot_count - 1)];
      if (is_sibling(entry)) entry = node.slots[entry >> 2];
      if (is_sibling(entry)) throw_entry(entry, node);
      above = node.shift;
    }
    return value(entry);
  }

  using Visitor = std::function<void(std::uint64_t index, std::uint64_t entry)>;

  void walk(const Visitor& visit, std::uint64_t limit) {
    visit_ = &visit;
    limit_ = limit;
    const std::uint64_t entry = head();
    if (is_node(entry))
      walk_node(entry, std::nullopt, 0);
    else if (const auto found = value(entry))
      visit(0, *found);
  }

 private:
  struct Node {
    std::uint64_t address = 0;
    unsigned shift = 0;
    std::array<std::uint64_t, 64> slots = {};
  };

  std::uint64_t head() const {
    return read_node<std::uint64_t>(memory_, at_ + layout_.head, "xarray", at_);
  }

  // A slot that repeats an earlier one of the same node, for an entry of several indices.
  bool is_sibling(std::uint64_t entry) const {
    return is_internal(entry) && entry >> 2 < layout_.slot_count - 1;
  }

  std::optional<std::uint64_t> value(std::uint64_t entry) const {
    if (entry == 0 || entry == zero_entry) return std::nullopt;
    if (is_internal(entry))
      throw_error(ErrorKind::corrupt, "xarray at {:#x} holds the {} entry {:#x}", at_.value,
                  entry == retry_entry ? "retry" : "internal", entry);
    return entry;
  }

  [[noreturn]] void throw_entry(std::uint64_t entry, const Node& node) const {
    throw_error(ErrorKind::corrupt, "xarray at {:#x}: node {:#x} holds the internal entry {:#x}",
                at_.value, node.address, entry);
  }

  // One read for the shift and all slots; `above` is the shift of the parent.
  Node read(std::uint64_t entry, std::optional<unsigned> above) const {
    check_interrupt();
    Node node;
    node.address = entry - 2;
    check_link(node.address, "the xarray at", at_);
    std::array<std::byte, 1024> buffer;
    const std::uint64_t end = std::max(layout_.shift + 1, layout_.slots + 8 * layout_.slot_count);
    const MutableBytes bytes(buffer.data(), end - start_);
    with_context([&] { return fmt::format("reading a node of the xarray at {:#x}", at_.value); },
                 [&] { memory_.read(VirtAddr{node.address + start_}, bytes); });
    node.shift = load_byte(bytes, layout_.shift - start_);
    std::memcpy(node.slots.data(), bytes.data() + (layout_.slots - start_), 8 * layout_.slot_count);
    const bool fits =
        above ? node.shift + bits_ == *above : node.shift < 64 && node.shift % bits_ == 0;
    if (!fits)
      throw_error(ErrorKind::corrupt, "xarray at {:#x}: node {:#x} has shift {} below shift {}",
                  at_.value, node.address, node.shift, above.value_or(64));
    return node;
  }

  static unsigned load_byte(Bytes bytes, std::uint64_t offset) {
    return std::to_integer<unsigned>(bytes[offset]);
  }

  // At most 64 / bits_ levels, since each has a smaller shift.
  void walk_node(std::uint64_t entry, std::optional<unsigned> above, std::uint64_t first_index) {
    const Node node = read(entry, above);
    if (!seen_.insert(node.address).second)
      throw_error(ErrorKind::corrupt, "xarray at {:#x}: node {:#x} comes twice", at_.value,
                  node.address);
    for (std::uint64_t i = 0; i < layout_.slot_count; ++i) {
      const std::uint64_t slot = node.slots[i];
      if (slot == 0 || is_sibling(slot)) continue;
      const std::uint64_t index = first_index + (i << node.shift);
      if (i << node.shift >> node.shift != i) throw_entry(slot, node);
      if (is_node(slot)) {
        walk_node(slot, node.shift, index);
      } else if (const auto found = value(slot)) {
        if (count_++ == limit_) throw_too_many("xarray", at_, limit_);
        (*visit_)(index, *found);
      }
    }
  }

  const VirtReader& memory_;
  const XArrayLayout& layout_;
  VirtAddr at_;
  std::uint64_t start_ = 0;  // of what is read of a node
  unsigned bits_ = 6;        // of the index that one level decodes
  const Visitor* visit_ = nullptr;
  std::uint64_t limit_ = 0;
  std::uint64_t count_ = 0;
  std::unordered_set<std::uint64_t> seen_;
};

}  // namespace

std::optional<std::uint64_t> xarray_load(const VirtReader& memory, const XArrayLayout& layout,
                                         VirtAddr xarray, std::uint64_t index) {
  return XArray(memory, layout, xarray).load(index);
}

void walk_xarray(const VirtReader& memory, const XArrayLayout& layout, VirtAddr xarray,
                 const std::function<void(std::uint64_t index, std::uint64_t entry)>& visit,
                 std::uint64_t limit) {
  XArray(memory, layout, xarray).walk(visit, limit);
}

}  // namespace kvmscope
