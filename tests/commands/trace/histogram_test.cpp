// Linear histograms of values of any size.

#include "commands/trace/histogram.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvmscope::tracing {
namespace {

using ::testing::ElementsAre;

TEST(Histogram, HasARangeForEachValueWhileTheyAreFew) {
  EXPECT_THAT(histogram({3, 5, 3}), ElementsAre(Bucket{3, 4, 2}, Bucket{4, 5, 0}, Bucket{5, 6, 1}));
  EXPECT_THAT(histogram({0, 0}), ElementsAre(Bucket{0, 1, 2}));
  EXPECT_THAT(histogram({}), ElementsAre());
}

TEST(Histogram, WidensItsRangesToRoundNumbers) {
  EXPECT_THAT(histogram({20'000, 20'010, 20'039}),
              ElementsAre(Bucket{20000, 20005, 1}, Bucket{20005, 20010, 0}, Bucket{20010, 20015, 1},
                          Bucket{20015, 20020, 0}, Bucket{20020, 20025, 0}, Bucket{20025, 20030, 0},
                          Bucket{20030, 20035, 0}, Bucket{20035, 20040, 1}));
}

TEST(Histogram, CountsEveryValueOnceHoweverLarge) {
  for (const std::uint64_t top :
       {1ULL, 9ULL, 10ULL, 11ULL, 99ULL, 12345ULL, 1ULL << 40, ~0ULL >> 8}) {
    const std::vector<Bucket> buckets = histogram({0, top / 3, top});
    EXPECT_LE(buckets.size(), 10U) << top;
    std::uint64_t count = 0;
    for (const Bucket& bucket : buckets) count += bucket.count;
    EXPECT_EQ(count, 3U) << top;
    EXPECT_LT(top, buckets.back().high);
  }
}

TEST(Bars, AreAsLongAsTheirShare) {
  EXPECT_EQ(bar(5, 10, 4), "@@  ");
  EXPECT_EQ(bar(10, 10, 4), "@@@@");
  EXPECT_EQ(bar(0, 10, 4), "    ");
  EXPECT_EQ(bar(1, 1000, 4), "@   ");
  EXPECT_EQ(bar(0, 0, 4), "    ");
}

}  // namespace
}  // namespace kvmscope::tracing
