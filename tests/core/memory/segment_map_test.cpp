// Segments that overlap, as disjoint pieces.

#include "core/memory/segment_map.hpp"

#include <gtest/gtest.h>

namespace kvmscope {
namespace {

constexpr std::uint64_t file_size = 0x10000;

TEST(SegmentMap, PrefersBytesOverCutOverLeftOut) {
  // 0x0-0x3000 left out; 0x1000-0x2000 behind the end of the file; 0x1800-0x2800 in the file.
  const SegmentMap map({{{0x0}, 0, 0, 0x3000},
                        {{0x1000}, file_size, 0x1000, 0x1000},
                        {{0x1800}, 0x4000, 0x1000, 0x1000}},
                       file_size);

  ASSERT_EQ(map.pieces().size(), 4u);
  EXPECT_EQ(map.find({0xfff})->missing, Missing::left_out);
  EXPECT_EQ(map.find({0x1000})->missing, Missing::truncated);
  EXPECT_EQ(map.find({0x1800})->missing, std::nullopt);
  EXPECT_EQ(map.find({0x1800})->file_offset, 0x4000u);
  EXPECT_EQ(map.find({0x2800})->missing, Missing::left_out);
  EXPECT_EQ(map.find({0x3000}), nullptr);
}

TEST(SegmentMap, GoesOnInTheRightBytesWhereASegmentIsCovered) {
  const SegmentMap map({{{0x1000}, 0x1000, 0x3000, 0x3000}, {{0x2000}, 0x8000, 0x1000, 0x1000}},
                       file_size);

  const Piece& last = *map.find({0x3800});
  EXPECT_EQ(last.file_offset + (0x3800 - last.start), 0x3800u);
}

TEST(SegmentMap, JoinsWhatGoesOnInTheFile) {
  const SegmentMap map({{{0x1000}, 0x1000, 0x1000, 0x1000}, {{0x2000}, 0x2000, 0x1000, 0x1000}},
                       file_size);

  EXPECT_EQ(map.pieces().size(), 1u);
}

TEST(SegmentMap, StaysFastWhenEverySegmentCoversEveryOther) {
  std::vector<Segment> segments;
  for (std::uint64_t i = 0; i < 100000; ++i)
    segments.push_back({{i}, i % file_size, file_size - i % file_size, 1ULL << 40});
  const SegmentMap map(segments, file_size);

  EXPECT_LE(map.pieces().size(), 6 * segments.size());
}

TEST(SegmentMap, OfNothingHasNothing) {
  const SegmentMap map({{{0x1000}, 0, 0, 0}}, file_size);

  EXPECT_EQ(map.find({0x1000}), nullptr);
  EXPECT_TRUE(map.ranges().empty());
}

}  // namespace
}  // namespace kvmscope
