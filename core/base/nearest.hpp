// Names that a user may have meant.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvmscope {

// The candidates with the fewest changed letters (at most a third of the letters of `name`, and one
// more), a candidate that begins with `name` counting as one change; else the first one that
// contains `name`.
std::vector<std::string_view> nearest_names(std::string_view name,
                                            std::span<const std::string_view> candidates);

// " (did you mean 'root'?)", or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

}  // namespace kvmscope
