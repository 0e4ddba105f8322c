// What the two forms of watch share: the clock of rounds and samples.
#pragma once

#include <chrono>
#include <optional>

#include "commands/command.hpp"

namespace kvmscope {

// Ticks at equal distances until time is up or Ctrl-C.
class Ticks {
 public:
  using Time = std::chrono::nanoseconds;

  // `duration`: none is until Ctrl-C.
  Ticks(Time period, std::optional<Time> duration);

  // Waits for the next tick; false when there is none any more. The first one is at once. Ticks
  // whose time has passed are left out. Throws Error{interrupted}.
  bool wait();
  // Of the tick that wait() returned for, since the first one.
  Time time() const { return period_ * static_cast<std::int64_t>(number_); }
  std::uint64_t left_out() const { return left_out_; }

 private:
  using Clock = std::chrono::steady_clock;

  Time period_;
  std::optional<Time> duration_;
  Clock::time_point start_;
  std::uint64_t number_ = 0;
  std::uint64_t left_out_ = 0;
  bool started_ = false;
};

// watch roots --hz N: samples every vCPU's roots.
void sample_roots(Session& session, const Arguments& args, RowSink& rows);

}  // namespace kvmscope
