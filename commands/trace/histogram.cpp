#include "commands/trace/histogram.hpp"

#include <algorithm>

namespace kvmscope::tracing {
namespace {

constexpr std::uint64_t most_buckets = 10;

std::uint64_t next_width(std::uint64_t width) {
  std::uint64_t power = 1;
  while (width / power >= 10) power *= 10;
  return width / power == 2 ? power * 5 : width * 2;  // 1 2 5 10
}

}  // namespace

std::vector<Bucket> histogram(const std::vector<std::uint64_t>& values) {
  if (values.empty()) return {};
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  std::uint64_t width = 1;
  while (*highest / width - *lowest / width >= most_buckets) width = next_width(width);
  const std::uint64_t first = *lowest / width;
  std::vector<Bucket> buckets;
  for (std::uint64_t i = first; i <= *highest / width; ++i)
    buckets.push_back({i * width, (i + 1) * width, 0});
  for (const std::uint64_t value : values) ++buckets[value / width - first].count;
  return buckets;
}

std::string bar(std::uint64_t count, std::uint64_t most, unsigned width) {
  std::uint64_t filled = most == 0 ? 0 : std::min(count, most) * width / most;
  // What is there at all can be seen.
  if (count != 0 && filled == 0) filled = 1;
  std::string text(filled, '@');
  text.resize(width, ' ');
  return text;
}

}  // namespace kvmscope::tracing
