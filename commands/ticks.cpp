// Waiting for the next round or sample.

#include <time.h>

#include <algorithm>

#include "commands/watch.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

// Ctrl-C between a look at the flag and the sleep would be noticed at its end.
constexpr auto longest_sleep = std::chrono::milliseconds(50);

}  // namespace

Ticks::Ticks(Time period, std::optional<Time> duration) : period_(period), duration_(duration) {}

bool Ticks::wait() {
  check_interrupt();
  if (!started_) {
    started_ = true;
    start_ = Clock::now();
    return true;
  }
  const auto passed = static_cast<std::uint64_t>((Clock::now() - start_) / period_);
  const std::uint64_t next = std::max(number_ + 1, passed);
  left_out_ += next - number_ - 1;
  number_ = next;
  if (duration_ && time() >= *duration_) return false;
  const Clock::time_point until = start_ + time();
  for (Clock::duration left; (left = until - Clock::now()) > Clock::duration::zero();) {
    const auto sleep = std::min<Clock::duration>(left, longest_sleep).count();
    const timespec duration = {sleep / 1'000'000'000, sleep % 1'000'000'000};
    nanosleep(&duration, nullptr);
    check_interrupt();
  }
  return true;
}

}  // namespace kvmscope
