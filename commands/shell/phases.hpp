// How long each phase of a command takes, and what it reads from the target: for --timing, and for
// the limit on walks.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "core/memory/reader.hpp"

namespace kvmscope {

enum class Phase { other, open, symbols, types, walk, print };

// Time belongs to the innermost phase.
class PhaseClock {
 public:
  // Forgets all, and starts counting.
  void start();
  // What was counted so far is part of what the next start() begins.
  void count_into_next() { count_into_next_ = true; }
  // Where reads are counted; may be set while phases run.
  void count_reads(std::function<ReadCounts()> counts);

  // While it lives, time belongs to `phase`.
  class Scope {
   public:
    Scope(PhaseClock& clock, Phase phase) : clock_(clock), outer_(clock.enter(phase)) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { clock_.enter(outer_); }

   private:
    PhaseClock& clock_;
    Phase outer_;
  };

  // Time spent in Phase::walk so far.
  std::chrono::nanoseconds walked() const;

  // One line a phase, with a header and a total.
  std::vector<std::string> report();

 private:
  using Clock = std::chrono::steady_clock;
  struct Sum {
    Clock::duration time{};
    ReadCounts read;
  };
  // Returns the phase that was running.
  Phase enter(Phase phase);

  bool count_into_next_ = false;
  Phase phase_ = Phase::other;
  Clock::time_point since_;
  ReadCounts read_;
  std::array<Sum, 6> sums_;
  std::function<ReadCounts()> counts_;
};

}  // namespace kvmscope
