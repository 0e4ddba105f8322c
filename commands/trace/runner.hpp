// What all trace commands share: how probes come to be armed, for how long, and how their events
// reach the command that asked for them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "commands/command.hpp"
#include "core/probe/event_format.hpp"
#include "core/probe/probe.hpp"
#include "core/probe/tracefs.hpp"

namespace kvmscope::tracing {

// What a command wants to be armed.
struct Plan {
  std::vector<probe::Probe> probes = {};
  // Of the kernel's own: "kvmmmu/kvm_mmu_get_page". Their hits are numbered behind the probes' and
  // have the values of every field that is a number (EventField::is_number).
  std::vector<std::string> tracepoints = {};
  // Which hits of the probes the kernel keeps: "kvm == 0xffff888000000000", an expression over
  // their fields (Documentation/trace/events.rst, 5). Empty: all.
  std::string filter = {};
};

// What a command makes of the events.
class Listener {
 public:
  virtual ~Listener() = default;

  // Everything is armed: the format of each probe, then of each tracepoint. `start_ns`: now, on
  // the trace clock.
  virtual void armed(const std::vector<probe::EventFormat>&, std::uint64_t /*start_ns*/) {}
  // One event; they come in order of time. Returns whether it is one of those that --count counts.
  virtual bool hit(const probe::Hit& hit) = 0;
  // Several times a second, and once at the end: every event before `now_ns` has been given.
  virtual void time(std::uint64_t /*now_ns*/) {}
  // No more events come, and everything is disarmed: what is left to say.
  virtual void finish() {}
};

// For a plan that is only shown.
class NoListener : public Listener {
 public:
  bool hit(const probe::Hit&) override { return false; }
};

// The options that every trace command has (--for, --count, --summary, --yes, …) behind its own.
std::vector<Option> with_run_options(std::vector<Option> own);
// What --dry-run shows: one of the modes of every trace command, the last one.
Mode dry_run_mode();

// Arms the plan, gives its events to the listener until --for, --count, Ctrl-C or the rate limit
// ends it, disarms, and says how it ended. Only prints the plan with --dry-run.
// Throws Error{usage} without --yes off a terminal, Error{unavailable} where nothing can be armed.
void run(Session& session, const Arguments& args, RowSink& rows, const Plan& plan,
         Listener& listener);
// Of the kernel that runs. Throws Error{usage} when the target is a dump.
std::unique_ptr<probe::Tracefs> find_tracefs(Session& session);
// The same in a tracefs that was found already.
void run_in(probe::Tracefs& tracefs, Session& session, const Arguments& args, RowSink& rows,
            const Plan& plan, Listener& listener);

// Trace times (CLOCK_MONOTONIC, nanoseconds) as time of the day.
class Clock {
 public:
  Clock();
  static std::uint64_t now_ns();
  // "2026-01-31T12:00:00.000001Z"
  std::string utc(std::uint64_t trace_ns) const;
  // "12:00:00.000001", of the same.
  std::string time_of_day(std::uint64_t trace_ns) const;

 private:
  std::int64_t realtime_offset_ns_;
};

}  // namespace kvmscope::tracing
