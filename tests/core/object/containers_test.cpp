// List, hlist and rbtree, whole and broken.

#include "core/object/containers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "core/base/interrupt.hpp"
#include "core/memory/buffer.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr VirtAddr head{0xffff888000001000};
constexpr VirtAddr node(std::uint64_t i) {
  return {0xffff888000010000 + i * 0x1000};
}

struct Walk {
  std::vector<VirtAddr> nodes = {};
  std::string error = {};
  ErrorKind kind = ErrorKind::internal;
};

using Walker = void (*)(const VirtReader&, VirtAddr, const NodeVisitor&, std::uint64_t);

class Containers : public testing::Test {
 protected:
  Walk walk(Walker walker, std::uint64_t limit = default_walk_limit) {
    Walk result;
    try {
      walker(
          memory, head, [&](VirtAddr at) { result.nodes.push_back(at); }, limit);
    } catch (const Error& error) {
      result.error = error.what();
      result.kind = error.kind();
    }
    return result;
  }

  void expect_corrupt(const Walk& walk, std::string_view words) {
    EXPECT_THAT(walk.error, HasSubstr(words));
    EXPECT_EQ(walk.kind, ErrorKind::corrupt);
  }

  void link(VirtAddr from, VirtAddr to) {
    memory.set_u64(from, to.value);
    memory.set_u64(to + 8, from.value);
  }
  // head, node(1)…node(count), head
  void make_list(std::uint64_t count) {
    VirtAddr last = head;
    for (std::uint64_t i = 1; i <= count; ++i) {
      link(last, node(i));
      last = node(i);
    }
    link(last, head);
  }
  void make_hlist(std::uint64_t count) {
    VirtAddr last = head;
    for (std::uint64_t i = 1; i <= count; ++i) {
      link(last, node(i));
      last = node(i);
    }
    memory.set_u64(last, 0);
  }
  void set_rb(VirtAddr at, VirtAddr parent, VirtAddr left, VirtAddr right) {
    memory.set_u64(at, parent.value | 1);
    memory.set_u64(at + 8, right.value);
    memory.set_u64(at + 16, left.value);
  }
  //      2
  //    1   4
  //       3 5
  void make_tree() {
    memory.set_u64(head, node(2).value);
    set_rb(node(2), {}, node(1), node(4));
    set_rb(node(1), node(2), {}, {});
    set_rb(node(4), node(2), node(3), node(5));
    set_rb(node(3), node(4), {}, {});
    set_rb(node(5), node(4), {}, {});
  }

  BufferReader<VirtAddr> memory;
};

TEST_F(Containers, AListIsVisitedInOrder) {
  make_list(3);
  const Walk result = walk(walk_list);
  EXPECT_THAT(result.nodes, ElementsAre(node(1), node(2), node(3)));
  EXPECT_EQ(result.error, "");
}

TEST_F(Containers, AnEmptyListHasNoNodes) {
  make_list(0);
  const Walk result = walk(walk_list);
  EXPECT_TRUE(result.nodes.empty());
  EXPECT_EQ(result.error, "");
}

TEST_F(Containers, AListStopsAtAMissingPageAfterTheNodesBeforeIt) {
  make_list(3);
  memory.remove(node(2), 16);
  const Walk result = walk(walk_list);
  EXPECT_THAT(result.nodes, ElementsAre(node(1)));
  EXPECT_EQ(result.kind, ErrorKind::fault);
  EXPECT_THAT(result.error, HasSubstr("0xffff888000012000"));
  EXPECT_THAT(result.error, HasSubstr("reading a node of the list at 0xffff888000001000"));
}

TEST_F(Containers, ANodeThatLinksBackElsewhereIsCorruptAndBothAreNamed) {
  make_list(3);
  memory.set_u64(node(2) + 8, node(7).value);
  const Walk result = walk(walk_list);
  EXPECT_THAT(result.nodes, ElementsAre(node(1)));
  expect_corrupt(result, "0xffff888000012000 has prev 0xffff888000017000");
  expect_corrupt(result, "0xffff888000011000 that leads to it");
}

TEST_F(Containers, AListThatRunsBackIntoItselfIsCorrupt) {
  make_list(3);
  memory.set_u64(node(3), node(2).value);
  const Walk result = walk(walk_list);
  EXPECT_THAT(result.nodes, ElementsAre(node(1), node(2), node(3)));
  expect_corrupt(result, "has prev");
}

TEST_F(Containers, AHeadWhosePrevIsNotTheLastNodeIsCorrupt) {
  make_list(3);
  memory.set_u64(head + 8, node(2).value);
  expect_corrupt(walk(walk_list), "but its last node is 0xffff888000013000");
}

TEST_F(Containers, LinksThatLeadNowhereAreNamedForWhatTheyAre) {
  const std::pair<std::uint64_t, std::string_view> links[] = {
      {0, "points to 0x0 (NULL)"},
      {8, "(NULL)"},
      {0xdead000000000100, "(list poison)"},
      {0xdead000000000122, "(list poison)"},
      {0x6b6b6b6b6b6b6b6b, "(freed memory)"},
      {0xffff888000012003, "(not aligned)"},
      {0x4141414141414140, "(no address)"},
  };
  for (const auto& [link, words] : links) {
    make_list(2);
    memory.set_u64(node(1), link);
    const Walk result = walk(walk_list);
    EXPECT_THAT(result.nodes, ElementsAre(node(1)));
    expect_corrupt(result, words);
  }
}

TEST_F(Containers, AListOfTheLimitIsWalkedAndOneMoreNodeIsTooMany) {
  make_list(5);
  EXPECT_EQ(walk(walk_list, 5).error, "");
  expect_corrupt(walk(walk_list, 4), "has more than 4 nodes");
}

TEST_F(Containers, AnInterruptEndsAWalk) {
  make_list(5);
  set_interrupted();
  const Walk result = walk(walk_list);
  clear_interrupted();
  EXPECT_EQ(result.kind, ErrorKind::interrupted);
}

// Answers every read so that the walk sees nodes 1, 2, 3, 1, 2, 3…, each linking back to the one
// before: what a kernel that changes under the walk may look like.
class TreadmillReader final : public VirtReader {
 public:
  void read(VirtAddr at, MutableBytes into) const override {
    const std::uint64_t step = reads_++;
    std::uint64_t links[2] = {node(step % 3).value, before_};
    before_ = at.value;
    std::memcpy(into.data(), links, std::min(into.size(), sizeof links));
  }

 private:
  mutable std::uint64_t reads_ = 0;
  mutable std::uint64_t before_ = 0;
};

TEST_F(Containers, ALoopThatMovingMemoryHidesFromTheBackLinksIsFound) {
  const TreadmillReader treadmill;
  std::uint64_t count = 0;
  EXPECT_THROW(walk_list(treadmill, head, [&](VirtAddr) { ++count; }), Error);
  EXPECT_LT(count, 20u);
}

// ---- from both ends

TEST_F(Containers, AListThatIsWholeIsVisitedOnceFromBothEnds) {
  make_list(3);
  const Walk result = walk(walk_list_from_both_ends);
  EXPECT_THAT(result.nodes, ElementsAre(node(1), node(2), node(3)));
  EXPECT_EQ(result.error, "");
}

TEST_F(Containers, BehindAMissingNodeAListIsWalkedFromItsEnd) {
  make_list(6);
  memory.remove(node(3), 16);
  const Walk result = walk(walk_list_from_both_ends);
  EXPECT_THAT(result.nodes, ElementsAre(node(1), node(2), node(4), node(5), node(6)));
  EXPECT_EQ(result.kind, ErrorKind::fault);
  EXPECT_THAT(result.error, HasSubstr("0xffff888000013000"));
  EXPECT_THAT(result.error, HasSubstr("whose first 2 and last 3 nodes were found"));
}

TEST_F(Containers, BetweenTwoMissingNodesAListIsLost) {
  make_list(7);
  memory.remove(node(2), 16);
  memory.remove(node(6), 16);
  const Walk result = walk(walk_list_from_both_ends);
  EXPECT_THAT(result.nodes, ElementsAre(node(1), node(7)));
  EXPECT_THAT(result.error, HasSubstr("0xffff888000012000"));
  EXPECT_THAT(result.error, HasSubstr("whose first 1 and last 1 nodes were found"));
}

TEST_F(Containers, AListWithOneWrongLinkLosesNoNode) {
  make_list(4);
  memory.set_u64(node(2), 0xdead000000000100);
  const Walk result = walk(walk_list_from_both_ends);
  EXPECT_THAT(result.nodes, ElementsAre(node(1), node(2), node(3), node(4)));
  expect_corrupt(result, "list poison");
}

TEST_F(Containers, AListThatRunsBackIntoItselfIsLeftInBothDirections) {
  make_list(4);
  link(node(3), node(2));  // forward never leaves 2 and 3; backward stops at 4
  const Walk result = walk(walk_list_from_both_ends);
  EXPECT_THAT(result.nodes, ElementsAre(node(1), node(4)));
  expect_corrupt(result, "has prev");
}

TEST_F(Containers, AListWithoutAHeadHasNoEndsToWalkFrom) {
  make_list(2);
  memory.remove(head, 16);
  const Walk result = walk(walk_list_from_both_ends);
  EXPECT_TRUE(result.nodes.empty());
  EXPECT_EQ(result.kind, ErrorKind::fault);
}

TEST_F(Containers, TheLimitHoldsForBothEndsTogether) {
  make_list(9);
  memory.remove(node(3), 16);
  const Walk result = walk(walk_list_from_both_ends, 5);
  EXPECT_EQ(result.nodes.size(), 5u);
  EXPECT_EQ(result.kind, ErrorKind::fault);
}

TEST_F(Containers, ALoopInMovingMemoryIsFoundFromBothEnds) {
  const TreadmillReader treadmill;
  std::vector<VirtAddr> nodes;
  EXPECT_THROW(walk_list_from_both_ends(treadmill, head, [&](VirtAddr at) { nodes.push_back(at); }),
               Error);
  EXPECT_LT(nodes.size(), 20u);
}

TEST_F(Containers, AnInterruptEndsAWalkFromBothEnds) {
  make_list(5);
  set_interrupted();
  const Walk result = walk(walk_list_from_both_ends);
  clear_interrupted();
  EXPECT_EQ(result.kind, ErrorKind::interrupted);
}

// ---- hlist

TEST_F(Containers, AnHlistIsVisitedInOrder) {
  make_hlist(3);
  EXPECT_THAT(walk(walk_hlist).nodes, ElementsAre(node(1), node(2), node(3)));
  make_hlist(0);
  EXPECT_TRUE(walk(walk_hlist).nodes.empty());
}

TEST_F(Containers, AnHlistStopsAtAMissingPage) {
  make_hlist(3);
  memory.remove(node(3), 16);
  const Walk result = walk(walk_hlist);
  EXPECT_THAT(result.nodes, ElementsAre(node(1), node(2)));
  EXPECT_EQ(result.kind, ErrorKind::fault);
}

TEST_F(Containers, AnHlistThatLoopsOrIsPoisonedIsCorrupt) {
  make_hlist(3);
  memory.set_u64(node(3), node(1).value);
  expect_corrupt(walk(walk_hlist), "has pprev");
  memory.set_u64(node(3), 0xdead000000000100);
  expect_corrupt(walk(walk_hlist), "(list poison)");
  make_hlist(3);
  expect_corrupt(walk(walk_hlist, 2), "has more than 2 nodes");
}

TEST_F(Containers, ATreeIsVisitedInOrder) {
  make_tree();
  const Walk result = walk(walk_rbtree);
  EXPECT_THAT(result.nodes, ElementsAre(node(1), node(2), node(3), node(4), node(5)));
  EXPECT_EQ(result.error, "");
  memory.set_u64(head, 0);
  EXPECT_TRUE(walk(walk_rbtree).nodes.empty());
}

TEST_F(Containers, ATreeStopsAtAMissingPageAfterTheNodesBeforeIt) {
  make_tree();
  memory.remove(node(3), 24);
  const Walk result = walk(walk_rbtree);
  EXPECT_THAT(result.nodes, ElementsAre(node(1), node(2)));
  EXPECT_EQ(result.kind, ErrorKind::fault);
}

TEST_F(Containers, ATreeThatIsNoneIsCorrupt) {
  make_tree();
  set_rb(node(5), node(4), node(2), {});  // back to the root
  expect_corrupt(walk(walk_rbtree), "has parent 0x0, but it is a child of 0xffff888000015000");
  make_tree();
  set_rb(node(4), node(2), node(3), node(3));
  expect_corrupt(walk(walk_rbtree), "as both children");
  make_tree();
  set_rb(node(1), node(5), {}, {});
  expect_corrupt(walk(walk_rbtree), "has parent");
  make_tree();
  memory.set_u64(node(2) + 16, 0x6b6b6b6b6b6b6b6b);
  expect_corrupt(walk(walk_rbtree), "(freed memory)");
  make_tree();
  expect_corrupt(walk(walk_rbtree, 4), "has more than 4 nodes");
}

TEST_F(Containers, ATreeDeeperThanAnyRealOneIsCorrupt) {
  memory.set_u64(head, node(0).value);
  for (std::uint64_t i = 0; i < 200; ++i)
    set_rb(node(i), i == 0 ? VirtAddr{} : node(i - 1), node(i + 1), {});
  expect_corrupt(walk(walk_rbtree), "deeper than 128");
}

}  // namespace
}  // namespace kvmscope
