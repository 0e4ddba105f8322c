#include "core/object/containers.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"
#include "core/object/links.hpp"

namespace kvmscope {
namespace {

// Brent's algorithm: a mark that stays behind for 1, 2, 4… steps. The back links of nodes make
// a loop impossible in memory that stands still; this is for memory that does not.
class LoopGuard {
 public:
  // Whether `node` was met before (true at the latest after three rounds).
  bool met(std::uint64_t node) {
    if (node == mark_) return true;
    if (++steps_ == until_) {
      mark_ = node;
      until_ *= 2;
      steps_ = 0;
    }
    return false;
  }

 private:
  std::uint64_t mark_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t until_ = 1;
};

// What list_head and hlist_node have in common: a link onward and one back.
struct Links {
  std::uint64_t next;
  std::uint64_t back;  // prev of a list_head; pprev, which leads to `next` at 0, of an hlist_node
};

struct Chain {
  std::string_view name;
  std::string_view back;  // the name of the link back
  VirtAddr head;
  std::uint64_t end;       // the link that ends it
  bool backwards = false;  // from the end of a list, by its links back
};

// Visits all nodes from `first` on; returns the last, the head when there is none.
VirtAddr walk_chain(const VirtReader& memory, const Chain& chain, std::uint64_t first,
                    const NodeVisitor& visit, std::uint64_t limit) {
  LoopGuard guard;
  VirtAddr before = chain.head;
  std::uint64_t link = first;
  for (std::uint64_t count = 0; link != chain.end; ++count) {
    check_interrupt();
    if (count == limit) throw_too_many(chain.name, chain.head, limit);
    check_link(link, count == 0 ? "the head at" : "the node at", before);
    const VirtAddr node{link};
    Links links = read_node<Links>(memory, node, chain.name, chain.head);
    if (chain.backwards) std::swap(links.next, links.back);
    if (links.back != before.value)
      throw_error(ErrorKind::corrupt,
                  "{} node {:#x} has {} {:#x}, but it is {:#x} that leads to it", chain.name,
                  node.value, chain.back, links.back, before.value);
    if (guard.met(link))
      throw_error(ErrorKind::corrupt, "{} at {:#x} has a loop: {:#x} comes again", chain.name,
                  chain.head.value, link);
    visit(node);
    before = node;
    link = links.next;
  }
  return before;
}

}  // namespace

void walk_list(const VirtReader& memory, VirtAddr head, const NodeVisitor& visit,
               std::uint64_t limit) {
  const Chain chain{.name = "list", .back = "prev", .head = head, .end = head.value};
  const VirtAddr last =
      walk_chain(memory, chain, read_node<Links>(memory, head, "list", head).next, visit, limit);
  // Read again: on a live kernel nodes may have come since the walk began.
  const Links links = read_node<Links>(memory, head, "list", head);
  if (links.back != last.value)
    throw_error(ErrorKind::corrupt, "list head {:#x} has prev {:#x}, but its last node is {:#x}",
                head.value, links.back, last.value);
}

void walk_list_from_both_ends(const VirtReader& memory, VirtAddr head, const NodeVisitor& visit,
                              std::uint64_t limit) {
  std::vector<VirtAddr> front;
  const auto visit_front = [&](VirtAddr node) {
    front.push_back(node);
    visit(node);
  };
  std::optional<Error> broken = lost_in([&] { walk_list(memory, head, visit_front, limit); });
  if (!broken) return;
  std::vector<VirtAddr> back;
  const Chain chain{.name = "list",
                    .back = "next",
                    .head = head,
                    .end = front.empty() ? head.value : front.back().value,
                    .backwards = true};
  // Where it stops is told by the first break: the second one is not another loss.
  lost_in([&] {
    const auto last = read_node<Links>(memory, head, "list", head).back;
    walk_chain(
        memory, chain, last, [&](VirtAddr node) { back.push_back(node); }, limit - front.size());
  });
  // Only memory that moves has a node in both.
  const std::set<VirtAddr> known(front.begin(), front.end());
  std::erase_if(back, [&](VirtAddr node) { return known.contains(node); });
  std::for_each(back.rbegin(), back.rend(), visit);
  broken->add_context(
      fmt::format("walking the list at {:#x}, whose first {} and last {} nodes were found",
                  head.value, front.size(), back.size()));
  throw Error(*broken);
}

void walk_hlist(const VirtReader& memory, VirtAddr head, const NodeVisitor& visit,
                std::uint64_t limit) {
  const Chain chain{.name = "hlist", .back = "pprev", .head = head, .end = 0};
  const auto first = read_node<std::uint64_t>(memory, head, "hlist", head);
  walk_chain(memory, chain, first, visit, limit);
}

// ---- rbtree

namespace {

struct RbNode {
  std::uint64_t parent_color;
  std::uint64_t right;
  std::uint64_t left;

  std::uint64_t parent() const { return parent_color & ~std::uint64_t{3}; }
};

// Parent pointers that fit make it a tree: a node has one parent, the topmost has none.
class RbWalk {
 public:
  RbWalk(const VirtReader& memory, VirtAddr root, std::uint64_t limit)
      : memory_(memory), root_(root), limit_(limit) {}

  void run(const NodeVisitor& visit) {
    descend(read_node<std::uint64_t>(memory_, root_, "rbtree", root_), VirtAddr{0});
    while (depth_ > 0) {
      const Open open = open_[--depth_];
      visit(open.node);
      descend(open.right, open.node);
    }
  }

 private:
  struct Open {
    VirtAddr node;
    std::uint64_t right;
  };

  // Opens `link` and everything left of it.
  void descend(std::uint64_t link, VirtAddr parent) {
    while (link != 0) {
      check_interrupt();
      if (count_++ == limit_) throw_too_many("rbtree", root_, limit_);
      check_link(link, parent.value == 0 ? "the root at" : "the node at",
                 parent.value == 0 ? root_ : parent);
      const auto node = read_node<RbNode>(memory_, VirtAddr{link}, "rbtree", root_);
      if (node.parent() != parent.value)
        throw_error(ErrorKind::corrupt,
                    "rbtree node {:#x} has parent {:#x}, but it is a child of {:#x}", link,
                    node.parent(), parent.value);
      if (node.left != 0 && node.left == node.right)
        throw_error(ErrorKind::corrupt, "rbtree node {:#x} has {:#x} as both children", link,
                    node.left);
      if (depth_ == open_.size())
        throw_error(ErrorKind::corrupt, "rbtree at {:#x} is deeper than {} nodes", root_.value,
                    open_.size());
      open_[depth_++] = {VirtAddr{link}, node.right};
      parent = VirtAddr{link};
      link = node.left;
    }
  }

  const VirtReader& memory_;
  VirtAddr root_;
  std::uint64_t limit_;
  std::uint64_t count_ = 0;
  std::array<Open, 128> open_;  // those whose left is done or being walked
  std::size_t depth_ = 0;
};

}  // namespace

void walk_rbtree(const VirtReader& memory, VirtAddr root, const NodeVisitor& visit,
                 std::uint64_t limit) {
  RbWalk(memory, root, limit).run(visit);
}

}  // namespace kvmscope
