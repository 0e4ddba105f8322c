#include "commands/trace/runner.hpp"

#include <sched.h>
#include <unistd.h>

#include "commands/shell/session.hpp"
#include "commands/trace/event_loop.hpp"
#include "commands/trace/result.hpp"
#include "commands/trace/run_options.hpp"
#include "core/base/interrupt.hpp"
#include "core/kernel/kernel.hpp"
#include "core/probe/armed.hpp"
#include "core/probe/guardian.hpp"
#include "core/probe/removal.hpp"

namespace kvmscope::tracing {
namespace {

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

// Where records of a stream go: not to a pager, which would keep a screen of them back. While this
// lives, Ctrl-C ends the stream and not the record.
class Streaming {
 public:
  Streaming(Session& session, RowSink& rows) : rows_(rows) {
    rows_.ignore_interrupts(true);
    session.console().out->release();
    // A target that is walked at idle priority is left to itself; events do not wait for that.
    if (was_idle()) sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none_);
  }
  Streaming(const Streaming&) = delete;
  Streaming& operator=(const Streaming&) = delete;
  ~Streaming() {
    if (was_idle()) sched_setscheduler(0, policy_, &none_);
    rows_.ignore_interrupts(false);
  }

 private:
  // The kernel says with the policy what children get.
  bool was_idle() const { return (policy_ & ~SCHED_RESET_ON_FORK) == SCHED_IDLE; }

  RowSink& rows_;
  const struct sched_param none_ {};
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
  EventLoop loop(options, rows, listener, stream, start);
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
