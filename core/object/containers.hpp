// The kernel's containers, walked without trusting them: every walk has a bound
// and notices a loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "core/memory/reader.hpp"

namespace kvmscope {

// Called with the address of each node (embedded list_head, hlist_node, rb_node).
using NodeVisitor = std::function<void(VirtAddr node)>;

inline constexpr std::uint64_t default_walk_limit = 10'000'000;

// struct list_head (include/linux/types.h): next at 0, prev at 8. The head is not visited.
// The visitor runs before the next link is read from memory again, so it may throw to stop.
// Throws Error{corrupt}: a next whose prev is not the node before it (naming both), NULL or
// list-poison links, a loop, more than `limit` nodes; Error{fault} on missing memory. The nodes
// before the fault have been visited by then.
void walk_list(const VirtReader& memory, VirtAddr head, const NodeVisitor& visit,
               std::uint64_t limit = default_walk_limit);

// As walk_list, but where that fails it goes on from the other end, so that only what lies between
// two breaks is missed. The nodes come in list order. Then throws the error of the first break,
// with how many nodes were found before and behind it.
void walk_list_from_both_ends(const VirtReader& memory, VirtAddr head, const NodeVisitor& visit,
                              std::uint64_t limit = default_walk_limit);

// struct hlist_head at `head`: first at 0; hlist_node: next at 0, pprev at 8. Same errors.
void walk_hlist(const VirtReader& memory, VirtAddr head, const NodeVisitor& visit,
                std::uint64_t limit = default_walk_limit);

// struct rb_root (include/linux/rbtree_types.h) at `root`, in order. rb_node:
// __rb_parent_color 0, rb_right 8, rb_left 16. Throws Error{corrupt} on a child whose parent
// pointer is not its parent, a node met twice, or depth beyond 128.
void walk_rbtree(const VirtReader& memory, VirtAddr root, const NodeVisitor& visit,
                 std::uint64_t limit = default_walk_limit);

// How the target lays out struct xarray and struct xa_node (include/linux/xarray.h), bytes.
struct XArrayLayout {
  std::uint64_t head = 8;    // xarray.xa_head
  std::uint64_t shift = 0;   // xa_node.shift, one byte
  std::uint64_t slots = 40;  // xa_node.slots
  std::uint64_t slot_count = 64;
};

// The entry at `index`, none when empty (also for zero entries).
// Throws Error{corrupt} for a retry entry, a node that points to itself or levels that do not
// shrink.
std::optional<std::uint64_t> xarray_load(const VirtReader& memory, const XArrayLayout& layout,
                                         VirtAddr xarray, std::uint64_t index);

// Every present entry in order of index.
void walk_xarray(const VirtReader& memory, const XArrayLayout& layout, VirtAddr xarray,
                 const std::function<void(std::uint64_t index, std::uint64_t entry)>& visit,
                 std::uint64_t limit = default_walk_limit);

}  // namespace kvmscope
