// Lists, whole and broken, walked from their start and from both ends.

#include "core/base/interrupt.hpp"
#include "tests/core/object/containers_fixture.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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

}  // namespace
}  // namespace kvmscope
