// The options that all trace commands share, as one value.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "commands/command.hpp"

namespace kvmscope::tracing {

struct RunOptions {
  std::optional<std::chrono::seconds> duration;  // none: until Ctrl-C
  std::optional<std::uint64_t> count;
  std::uint64_t max_rate = 200'000;  // events per second
  bool dry_run = false;
  bool yes = false;
};

RunOptions run_options(const Arguments& args);

}  // namespace kvmscope::tracing
