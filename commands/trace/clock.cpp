// Trace times as people write them.

#include <ctime>

#include <fmt/chrono.h>

#include "commands/trace/runner.hpp"

namespace kvmscope::tracing {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;

std::int64_t clock_ns(clockid_t clock) {
  struct timespec time {};
  clock_gettime(clock, &time);
  return time.tv_sec * ns_per_second + time.tv_nsec;
}

}  // namespace

Clock::Clock() : realtime_offset_ns_(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)) {}

std::uint64_t Clock::now_ns() {
  return static_cast<std::uint64_t>(clock_ns(CLOCK_MONOTONIC));
}

std::string Clock::utc(std::uint64_t trace_ns) const {
  const std::int64_t time = static_cast<std::int64_t>(trace_ns) + realtime_offset_ns_;
  return fmt::format("{:%Y-%m-%d}T{}Z", fmt::gmtime(time / ns_per_second), time_of_day(trace_ns));
}

std::string Clock::time_of_day(std::uint64_t trace_ns) const {
  const std::int64_t time = static_cast<std::int64_t>(trace_ns) + realtime_offset_ns_;
  constexpr std::int64_t ns_per_microsecond = 1000;
  return fmt::format("{:%H:%M:%S}.{:06}", fmt::gmtime(time / ns_per_second),
                     time % ns_per_second / ns_per_microsecond);
}

}  // namespace kvmscope::tracing
