// Names that a user may have meant.
#pragma once

#include <string_view>
#include <vector>

namespace kvmscope {

// The candidates with the fewest changed letters (at most 2, and fewer than half), or that begin
// with `name`.
std::vector<std::string_view> nearest_names(std::string_view name,
                                            const std::vector<std::string_view>& candidates);

}  // namespace kvmscope
