// Hlists and rbtrees, whole and broken.

#include "tests/core/object/containers_fixture.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;

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
