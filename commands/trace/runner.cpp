#include "commands/trace/runner.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <deque>

#include "commands/shell/session.hpp"
#include "commands/trace/run_options.hpp"
#include "core/base/interrupt.hpp"
#include "core/kernel/kernel.hpp"
#include "core/probe/armed.hpp"
#include "core/probe/guardian.hpp"
#include "core/probe/removal.hpp"

namespace kvmscope::tracing {
namespace {

constexpr std::uint64_t second = 1'000'000'000;  // nanoseconds, as all times here
constexpr std::uint64_t quiet_pause = second / 20;
// A default buffer holds some 350 pages a CPU.
constexpr std::uint64_t busy_pause = second / 200;
constexpr std::size_t busy_pages = 16;
// Of each CPU, before what was read is given on.
constexpr std::size_t pages_per_read = 32;

// Asks on a terminal, and wants --yes elsewhere.
void ask(Session& session, const RunOptions& options, const std::string& root,
         const std::vector<std::string>& lines) {
  Messages& messages = session.console().messages;
  messages.line(fmt::format("adds to {}, and removes again:", root));
  for (const std::string& line : lines) messages.line("  " + line);
  if (options.yes) return;
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0)
    throw Error(ErrorKind::usage,
                "trace changes the running kernel: say --yes, or --dry-run to only look");
  messages.line("go on? [y/N]");
  char answer[64];
  const ssize_t size = read(STDIN_FILENO, answer, sizeof answer);
  check_interrupt();
  if (size <= 0 || (answer[0] != 'y' && answer[0] != 'Y'))
    throw Error(ErrorKind::interrupted, "nothing was added");
}

void remove_leftovers(probe::Tracefs& tracefs, RowSink& rows) {
  // What a process of another pid namespace uses would look dead.
  if (!probe::sees_all_processes()) return;
  constexpr unsigned patience_ms = 500;
  for (const std::string& name : probe::left_behind(tracefs)) {
    const std::vector<std::string> problems = probe::remove_run(tracefs, name, patience_ms);
    rows.note(problems.empty()
                  ? fmt::format("removed what a killed run had left in tracefs: {}", name)
                  : fmt::format("could not remove what a killed run has left in tracefs: {}",
                                problems.front()));
  }
}

// From start() to the last event.
class Loop {
 public:
  Loop(const RunOptions& options, RowSink& rows, Listener& listener, probe::EventStream& stream,
       std::uint64_t start)
      : options_(options), rows_(rows), listener_(listener), stream_(stream), start_(start) {}

  void run() {
    while (reason_.empty() && !interrupted()) {
      pause();
      if (interrupted()) return;
      const std::uint64_t round_start = Clock::now_ns();
      const probe::EventStream::Round round = stream_.read(pages_per_read);
      pages_ = round.pages;
      is_behind_ = round.complete_until_ns != UINT64_MAX;
      // An event is there a moment after its time: what is older than the round before this one
      // has been read on every CPU.
      deliver(std::min(last_round_, round.complete_until_ns));
      last_round_ = round_start;
      const std::uint64_t now = Clock::now_ns();
      flush(now);
      check_limits(now);
    }
  }

  // Nothing is recorded any more: takes all that is left from the kernel.
  void collect() {
    while (!reached_count() && stream_.read(pages_per_read).pages != 0) continue;
    stream_.close();
  }

  // Gives it on, until Ctrl-C. Returns how many events nobody saw. `end_ns`: when recording ended.
  std::uint64_t finish(std::uint64_t end_ns) {
    deliver(UINT64_MAX);
    listener_.time(end_ns);
    return reached_count() ? 0 : hits_.size();
  }

  std::string_view reason() const {
    if (!reason_.empty()) return reason_;
    return TerminationInterrupts::came() ? "terminated" : "interrupted";
  }

 private:
  std::uint64_t end() const { return start_ + options_.duration->count() * second; }

  void pause() const {
    if (is_behind_) return;
    std::uint64_t left = pages_ > busy_pages ? busy_pause : quiet_pause;
    const std::uint64_t now = Clock::now_ns();
    if (options_.duration) left = std::min(left, now < end() ? end() - now : 0);
    // A signal ends this early.
    const struct timespec time = {0, static_cast<long>(left)};
    nanosleep(&time, nullptr);
  }

  void deliver(std::uint64_t before) {
    for (probe::Hit& hit : stream_.take_before(before)) hits_.push_back(std::move(hit));
    while (!hits_.empty() && !reached_count() && !interrupted()) {
      // Not given twice if this is interrupted.
      const probe::Hit hit = std::move(hits_.front());
      hits_.pop_front();
      if (listener_.hit(hit)) ++counted_;
    }
    if (hits_.empty() && before != UINT64_MAX) listener_.time(before);
    if (reached_count()) reason_ = "count";
  }

  bool reached_count() const { return options_.count && counted_ >= *options_.count; }

  void flush(std::uint64_t now) {
    if (now < next_flush_) return;
    next_flush_ = now + second / 2;
    rows_.flush();
  }

  void check_limits(std::uint64_t now) {
    const probe::EventStream::Counts& counts = stream_.counts();
    const std::uint64_t events = counts.events + counts.missed;
    const std::uint64_t elapsed = std::max(now - window_start_, second);
    const auto rate = static_cast<double>(events - window_events_) * second / elapsed;
    if (rate > static_cast<double>(options_.max_rate)) reason_ = "max-rate";
    if (elapsed > second) {
      window_start_ = now;
      window_events_ = events;
    }
    if (options_.duration && now >= end()) reason_ = "for";
  }

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

// What a run came to.
struct Result {
  std::string_view reason;
  std::uint64_t ns = 0;
  probe::EventStream::Counts counts;
  probe::Armed::Losses losses;
  std::vector<std::string> left;  // what could not be removed
  std::uint64_t unseen = 0;       // events that were read, and not given on

  std::uint64_t lost() const {
    return std::max(losses.overwritten, counts.missed) + counts.undecodable + unseen;
  }
};

struct Reason {
  std::string_view name;
  std::string_view text;
};
constexpr std::array<Reason, 5> reasons = {{
    {"for", "--for is over"},
    {"count", "--count is reached"},
    {"interrupted", "Ctrl-C"},
    {"terminated", "a signal told us to end"},
    {"max-rate", "more events in a second than --max-rate allows"},
}};

std::string_view text_of(std::string_view reason) {
  for (const Reason& known : reasons)
    if (known.name == reason) return known.text;
  return reason;
}

Ending ending_of(const Result& result) {
  using K = ColumnKind;
  const double seconds = static_cast<double>(result.ns) / static_cast<double>(second);
  return {.columns = {{"reason", K::text, ""},
                      {"ms", K::count, ""},
                      {"events", K::count, ""},
                      {"lost", K::count, ""},
                      {"missed", K::count, ""}},
          .record = {{std::string(result.reason), result.ns / (second / 1000), result.counts.events,
                      result.lost(), result.losses.missed}},
          .text = fmt::format("{} events in {:.1f} s, {} lost; {}", result.counts.events, seconds,
                              result.lost() + result.losses.missed, text_of(result.reason))};
}

// Tells the ending, and what was wrong.
void say(RowSink& rows, const Result& result) {
  if (!result.counts.damage.empty()) rows.note(result.counts.damage);
  if (result.losses.missed != 0)
    rows.note(fmt::format("{} hits were missed: the kernel was handling another probe",
                          result.losses.missed));
  for (const std::string& left : result.left)
    rows.note("could not be removed from tracefs, the next trace tries again: " + left);
  const bool incomplete = result.lost() + result.losses.missed != 0 || !result.left.empty() ||
                          result.reason == "max-rate";
  if (incomplete) rows.set_status(exit_status(ErrorKind::fault));
  rows.end(ending_of(result));
}

// Where records of a stream go: not to a pager, which would keep a screen of them back. While this
// lives, Ctrl-C ends the stream and not the record.
class Streaming {
 public:
  Streaming(Session& session, RowSink& rows) : rows_(rows) {
    rows_.ignore_interrupts(true);
    session.console().out->release();
    // A target that is walked at idle priority is left to itself; events do not wait for that.
    const struct sched_param none {};
    if (policy_ == SCHED_IDLE) sched_setscheduler(0, SCHED_OTHER, &none);
  }
  Streaming(const Streaming&) = delete;
  Streaming& operator=(const Streaming&) = delete;
  ~Streaming() {
    const struct sched_param none {};
    if (policy_ == SCHED_IDLE) sched_setscheduler(0, SCHED_IDLE, &none);
    rows_.ignore_interrupts(false);
  }

 private:
  RowSink& rows_;
  int policy_ = sched_getscheduler(0);
};

// Records, disarms, and only then gives on what is left: whoever reads the output may take long.
Result record(probe::Armed& armed, const RunOptions& options, const Output& out, RowSink& rows,
              Listener& listener) {
  Result result;
  probe::EventStream stream = armed.open_stream();
  const std::uint64_t start = Clock::now_ns();
  listener.armed(armed.formats(), start);
  armed.start();
  Loop loop(options, rows, listener, stream, start);
  // A reader that makes us wait must not keep us armed: Ctrl-C gets out of that, too.
  interrupted_in([&] { loop.run(); });
  armed.stop();
  const std::uint64_t end = Clock::now_ns();
  result.ns = end - start;
  result.reason = loop.reason();
  result.losses = armed.losses();
  loop.collect();
  result.left = armed.remove();
  clear_interrupted();
  if (!out.reader_gone()) result.unseen = loop.finish(end);
  clear_interrupted();
  result.counts = stream.counts();
  return result;
}

}  // namespace

void run_in(probe::Tracefs& tracefs, Session& session, const Arguments& args, RowSink& rows,
            const Plan& plan, Listener& listener) {
  const RunOptions options = run_options(args);
  const std::string name = probe::own_run_name().text();
  const std::vector<std::string> lines = probe::armed_lines(name, plan.probes, plan.tracepoints);
  if (options.dry_run) {
    for (const std::string& line : lines) rows.add({{line}});
    return;
  }
  ask(session, options, tracefs.root(), lines);
  remove_leftovers(tracefs, rows);
  const TerminationInterrupts interrupts;
  const Streaming streaming(session, rows);
  Result result;
  {
    const probe::Guardian guardian(tracefs.root(), name);
    probe::Armed armed(tracefs, name, plan.probes, plan.tracepoints, plan.filter);
    result = record(armed, options, *session.console().out, rows, listener);
  }
  listener.finish();
  say(rows, result);
  if (TerminationInterrupts::came()) session.quit();
}

std::unique_ptr<probe::Tracefs> find_tracefs(Session& session) {
  if (session.kernel().live() == nullptr)
    throw_error(ErrorKind::usage, "trace is for the kernel that runs, and {} is a dump",
                session.target_path());
  return probe::tracefs_at(probe::find_tracefs());
}

void run(Session& session, const Arguments& args, RowSink& rows, const Plan& plan,
         Listener& listener) {
  // Looking needs no tracefs.
  const std::unique_ptr<probe::Tracefs> tracefs =
      args.has("--dry-run") ? probe::tracefs_at("") : find_tracefs(session);
  run_in(*tracefs, session, args, rows, plan, listener);
}

}  // namespace kvmscope::tracing
