// Counting what hangs below roots, level by level.
#pragma once

#include <vector>

#include "commands/shell/session.hpp"
#include "commands/targets.hpp"

namespace kvmscope {

// The records of `levels`.
std::vector<Column> level_columns();
// Sends them for each of these roots.
void count_levels(Session& session, const std::vector<NamedStart>& roots, RowSink& rows);

}  // namespace kvmscope
