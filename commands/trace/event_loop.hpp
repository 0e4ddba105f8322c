// Reads the events of what is armed, and gives them to the listener until something ends it.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

#include "commands/output/row_sink.hpp"
#include "commands/trace/run_options.hpp"
#include "commands/trace/runner.hpp"
#include "core/probe/event_stream.hpp"

namespace kvmscope::tracing {

class EventLoop {
 public:
  // Keeps all references. `start_ns`: when recording began, on the trace clock.
  EventLoop(const RunOptions& options, RowSink& rows, Listener& listener,
            probe::EventStream& stream, std::uint64_t start_ns)
      : options_(options), rows_(rows), listener_(listener), stream_(stream), start_(start_ns) {}

  // Until --for, --count, the rate limit or an interrupt.
  void run();
  // Nothing is recorded any more: takes all that is left from the kernel.
  void collect();
  // Gives it on, until Ctrl-C. Returns how many events nobody saw. `end_ns`: when recording ended.
  std::uint64_t finish(std::uint64_t end_ns);
  // Why run() ended, see Result.
  std::string_view reason() const;

 private:
  std::uint64_t end() const;
  void pause() const;
  void deliver(std::uint64_t before_ns);
  bool reached_count() const { return options_.count && counted_ >= *options_.count; }
  void flush(std::uint64_t now);
  void check_limits(std::uint64_t now);

  const RunOptions& options_;
  RowSink& rows_;
  Listener& listener_;
  probe::EventStream& stream_;
  std::uint64_t start_;
  std::uint64_t last_round_ = start_;
  std::uint64_t next_flush_ = 0;
  std::uint64_t window_start_ = start_;
  std::uint64_t window_events_ = 0;
  std::uint64_t counted_ = 0;
  std::size_t pages_ = 0;
  bool is_behind_ = false;
  std::deque<probe::Hit> hits_;
  std::string_view reason_;
};

}  // namespace kvmscope::tracing
