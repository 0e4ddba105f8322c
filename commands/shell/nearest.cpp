#include "commands/shell/nearest.hpp"

#include <algorithm>
#include <numeric>

namespace kvmscope {
namespace {

constexpr std::size_t most_changes = 2;

// Letters to insert, delete or replace (Levenshtein), one row of the table at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
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
                                            const std::vector<std::string_view>& candidates) {
  std::vector<std::string_view> nearest;
  std::size_t best = most_changes;
  for (const std::string_view candidate : candidates) {
    const bool begins = !name.empty() && candidate.starts_with(name);
    const std::size_t distance = begins ? 1 : edit_distance(name, candidate);
    if (distance > best || (!begins && 2 * distance > name.size())) continue;
    if (distance < best) nearest.clear();
    best = distance;
    nearest.push_back(candidate);
  }
  return nearest;
}

}  // namespace kvmscope
