// Finds debug files as another finder does, and fetches what is not at hand from debuginfod
// servers.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "core/base/open_log.hpp"
#include "core/types/source.hpp"

namespace kvmscope {

// The servers are those of DEBUGINFOD_URLS. `progress` is told now and then while a file comes.
// `local` and `log` must outlive the finder.
std::unique_ptr<DebugFinder> make_fetching_finder(const DebugFinder& local,
                                                  std::function<void(std::string_view)> progress,
                                                  OpenLog* log = nullptr);

}  // namespace kvmscope
