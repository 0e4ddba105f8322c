// XArrays, whole and broken.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/memory/buffer.hpp"
#include "core/object/containers.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr VirtAddr array{0xffff888000001000};
constexpr VirtAddr node(std::uint64_t i) {
  return {0xffff888000010000 + i * 0x1000};
}
constexpr std::uint64_t entry(std::uint64_t i) {
  return 0xffff88800f000000 + i * 64;
}

class XArrays : public testing::Test {
 protected:
  void set_head(std::uint64_t value) { memory.set_u64(array + 8, value); }
  void make_node(VirtAddr at, unsigned shift, const std::map<unsigned, std::uint64_t>& slots) {
    memory.add_zeros(at, 40 + 64 * 8);
    memory.set(at, static_cast<std::uint8_t>(shift));
    for (const auto& [slot, value] : slots) memory.set_u64(at + 40 + 8 * slot, value);
  }
  // Index 1 and 3 in the first leaf, 64 and 130 in others.
  void make_two_levels() {
    set_head(node(0).value | 2);
    make_node(node(0), 6, {{0, node(1).value | 2}, {1, node(2).value | 2}, {2, node(3).value | 2}});
    make_node(node(1), 0, {{1, entry(1)}, {3, entry(3)}});
    make_node(node(2), 0, {{0, entry(64)}});
    make_node(node(3), 0, {{2, entry(130)}});
  }
  std::optional<std::uint64_t> get(std::uint64_t index) {
    return xarray_load(memory, layout, array, index);
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> all(std::uint64_t limit = 1000) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
    walk_xarray(
        memory, layout, array,
        [&](std::uint64_t index, std::uint64_t value) { found.emplace_back(index, value); }, limit);
    return found;
  }
  template <typename Body>
  void expect_corrupt(Body&& body, std::string_view words) {
    try {
      body();
      ADD_FAILURE() << "no error, expected: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      EXPECT_THAT(error.what(), HasSubstr(words));
    }
  }

  BufferReader<VirtAddr> memory;
  XArrayLayout layout;
};

TEST_F(XArrays, AnEmptyOneHasNothing) {
  set_head(0);
  EXPECT_EQ(get(0), std::nullopt);
  EXPECT_TRUE(all().empty());
}

TEST_F(XArrays, ASingleEntryLiesInTheHead) {
  set_head(entry(0));
  EXPECT_EQ(get(0), entry(0));
  EXPECT_EQ(get(1), std::nullopt);
  EXPECT_THAT(all(), ElementsAre(Pair(0, entry(0))));
}

TEST_F(XArrays, EntriesAreFoundThroughLevelsAndWalkedInOrder) {
  make_two_levels();
  EXPECT_EQ(get(1), entry(1));
  EXPECT_EQ(get(2), std::nullopt);
  EXPECT_EQ(get(64), entry(64));
  EXPECT_EQ(get(130), entry(130));
  EXPECT_EQ(get(64 * 64), std::nullopt) << "beyond what the top node covers";
  EXPECT_EQ(get(~0ULL), std::nullopt);
  EXPECT_THAT(all(), ElementsAre(Pair(1, entry(1)), Pair(3, entry(3)), Pair(64, entry(64)),
                                 Pair(130, entry(130))));
}

TEST_F(XArrays, AnEntryOfSeveralIndicesIsFoundAtEachAndVisitedOnce) {
  set_head(node(0).value | 2);
  make_node(node(0), 0, {{4, entry(4)}, {5, 4 << 2 | 2}, {6, 4 << 2 | 2}});
  EXPECT_EQ(get(4), entry(4));
  EXPECT_EQ(get(6), entry(4));
  EXPECT_THAT(all(), ElementsAre(Pair(4, entry(4))));
}

TEST_F(XArrays, ReservedSlotsAreEmpty) {
  set_head(node(0).value | 2);
  make_node(node(0), 0, {{1, 257 << 2 | 2}, {2, entry(2)}});
  EXPECT_EQ(get(1), std::nullopt);
  EXPECT_THAT(all(), ElementsAre(Pair(2, entry(2))));
}

TEST_F(XArrays, OneNodeCostsOneRead) {
  make_two_levels();
  const std::uint64_t before = memory.counts().reads;
  get(130);
  EXPECT_EQ(memory.counts().reads - before, 3u);  // the head and two nodes
}

TEST_F(XArrays, AMissingNodeFaultsAfterTheEntriesBeforeIt) {
  make_two_levels();
  memory.remove(node(2), 64);
  EXPECT_EQ(get(1), entry(1));
  std::vector<std::uint64_t> seen;
  try {
    walk_xarray(memory, layout, array,
                [&](std::uint64_t index, std::uint64_t) { seen.push_back(index); });
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::fault);
  }
  EXPECT_THAT(seen, ElementsAre(1, 3));
}

TEST_F(XArrays, ANodeThatPointsToItselfIsCorrupt) {
  make_two_levels();
  memory.set_u64(node(0) + 40, node(0).value | 2);
  expect_corrupt([&] { get(0); }, "shift 6 below shift 6");
  expect_corrupt([&] { all(); }, "shift 6 below shift 6");
}

TEST_F(XArrays, ANodeThatIsReachedTwiceIsCorrupt) {
  make_two_levels();
  memory.set_u64(node(0) + 40 + 8, node(1).value | 2);
  expect_corrupt([&] { all(); }, "comes twice");
}

TEST_F(XArrays, EntriesThatCannotBeAreCorrupt) {
  make_two_levels();
  memory.set_u64(node(1) + 40, 256 << 2 | 2);
  expect_corrupt([&] { get(0); }, "the retry entry 0x402");
  expect_corrupt([&] { all(); }, "the retry entry 0x402");
  make_two_levels();
  memory.set_u64(node(1) + 40, 3 << 2 | 2);
  memory.set_u64(node(1) + 40 + 24, 1 << 2 | 2);
  expect_corrupt([&] { get(0); }, "internal entry");
  make_two_levels();
  set_head(0xdead000000000100 | 2);
  expect_corrupt([&] { get(0); }, "list poison");
}

TEST_F(XArrays, ShiftsThatCannotBeAreCorrupt) {
  for (const unsigned shift : {1u, 5u, 66u, 255u}) {
    make_two_levels();
    memory.set(node(0), static_cast<std::uint8_t>(shift));
    expect_corrupt([&] { get(0); }, "has shift");
  }
  set_head(node(0).value | 2);
  make_node(node(0), 60, {{16, entry(1)}});
  expect_corrupt([&] { all(); }, "internal entry");
}

TEST_F(XArrays, MoreEntriesThanTheLimitAreTooMany) {
  make_two_levels();
  EXPECT_EQ(all(4).size(), 4u);
  expect_corrupt([&] { all(3); }, "more than 3");
}

TEST_F(XArrays, ALayoutThatMakesNoSenseIsRefused) {
  set_head(0);
  for (const std::uint64_t count : {0, 1, 3, 128}) {
    layout.slot_count = count;
    expect_corrupt([&] { get(0); }, "makes no sense");
  }
  layout = {.slots = 1ULL << 62};
  expect_corrupt([&] { get(0); }, "makes no sense");
}

}  // namespace
}  // namespace kvmscope
