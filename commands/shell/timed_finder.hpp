// For --timing: a finder of debug files whose time counts as symbols and types.
#pragma once

#include <memory>

#include "commands/shell/phases.hpp"
#include "core/types/source.hpp"

namespace kvmscope {

// Borrows both.
std::unique_ptr<DebugFinder> make_timed_finder(const DebugFinder& finder, PhaseClock& clock);

}  // namespace kvmscope
