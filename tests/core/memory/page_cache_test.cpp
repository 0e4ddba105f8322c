// Pages kept by frame number.

#include "core/memory/page_cache.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace kvmscope {
namespace {

void keep(PageCache& cache, std::uint64_t frame, std::uint8_t byte) {
  cache.fill(Pfn{frame}, [&](PageCache::Page& page) { page.fill(std::byte{byte}); });
}

TEST(PageCache, FindsWhatWasFilledAndNothingElse) {
  PageCache cache;
  keep(cache, 0, 7);

  ASSERT_NE(cache.find(Pfn{0}), nullptr);
  EXPECT_EQ((*cache.find(Pfn{0}))[4095], std::byte{7});
  EXPECT_EQ(cache.find(Pfn{4096}), nullptr);
}

TEST(PageCache, ReplacesThePageThatWasUsedLongestAgo) {
  PageCache cache;
  // Frames of one set are 4096 apart, and a set holds four.
  for (std::uint64_t i = 0; i < 4; ++i) keep(cache, i * 4096, static_cast<std::uint8_t>(i));
  cache.find(Pfn{0});
  keep(cache, 4 * 4096, 4);

  EXPECT_NE(cache.find(Pfn{0}), nullptr);
  EXPECT_EQ(cache.find(Pfn{4096}), nullptr);
  EXPECT_NE(cache.find(Pfn{4 * 4096}), nullptr);
}

TEST(PageCache, HoldsNothingForAPageThatCouldNotBeFetched) {
  PageCache cache;
  EXPECT_THROW(cache.fill(Pfn{5}, [](PageCache::Page&) { throw std::runtime_error("no page"); }),
               std::runtime_error);

  EXPECT_EQ(cache.find(Pfn{5}), nullptr);
}

}  // namespace
}  // namespace kvmscope
