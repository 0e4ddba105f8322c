// What a trace came to: how it ended, what was recorded and what was lost.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "commands/output/row_sink.hpp"
#include "core/probe/armed.hpp"

namespace kvmscope::tracing {

struct Result {
  std::string_view reason;  // one of the names in result.cpp
  std::uint64_t ns = 0;     // from the first to the last moment that was recorded
  probe::EventStream::Counts counts;
  probe::Armed::Losses losses;
  std::vector<std::string> left;  // what could not be removed
  std::uint64_t unseen = 0;       // events that were read, and not given on

  std::uint64_t lost() const {
    return std::max(losses.overwritten, counts.missed) + counts.undecodable + unseen;
  }
};

// Ends the records with it, and notes what was wrong.
void say(RowSink& rows, const Result& result);

}  // namespace kvmscope::tracing
