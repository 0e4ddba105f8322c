// A linear histogram: how many values lie in each range of the same width.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvmscope::tracing {

struct Bucket {
  std::uint64_t low = 0;
  std::uint64_t high = 0;  // exclusive
  std::uint64_t count = 0;
  bool operator==(const Bucket&) const = default;
};

// From the lowest value to the highest, empty ranges in between too, at most 10 of them; their
// width is 1, 2 or 5 times a power of ten.
std::vector<Bucket> histogram(const std::vector<std::uint64_t>& values);

// "@@@@@     ": `count` of `most`, `width` columns wide.
std::string bar(std::uint64_t count, std::uint64_t most, unsigned width);

}  // namespace kvmscope::tracing
