#include "core/base/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace kvmscope {
namespace {

constexpr std::size_t longest = 64;       // nobody mistypes longer ones, and the work is quadratic
constexpr std::size_t shortest_part = 3;  // of a longer name, that still says which

// Letters to insert, delete or replace (Levenshtein), one row of the table at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string_view> nearest_names(std::string_view name,
                                            std::span<const std::string_view> candidates) {
  std::vector<std::string_view> nearest;
  if (name.empty() || name.size() > longest) return nearest;
  std::size_t best = name.size() / 3 + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > longest) continue;
    const bool begins = candidate.starts_with(name);
    const std::size_t distance = begins ? 1 : edit_distance(name, candidate);
    if (distance > best || (!begins && 2 * distance > name.size())) continue;
    if (distance < best) nearest.clear();
    best = distance;
    nearest.push_back(candidate);
  }
  if (!nearest.empty() || name.size() < shortest_part) return nearest;
  const auto containing = std::find_if(
      candidates.begin(), candidates.end(),
      [&](std::string_view candidate) { return candidate.find(name) != std::string_view::npos; });
  if (containing != candidates.end()) nearest.push_back(*containing);
  return nearest;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
  const std::vector<std::string_view> views(candidates.begin(), candidates.end());
  const std::vector<std::string_view> near = nearest_names(name, views);
  return near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near.front());
}

}  // namespace kvmscope
