// kvmscope: builds the parts, hands them to a session, and runs what the user asked for.

#include <fcntl.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

#include <fmt/ranges.h>

#include "commands/catalogue.hpp"
#include "commands/shell/give_up_root.hpp"
#include "commands/shell/interactive.hpp"
#include "commands/shell/program_options.hpp"
#include "commands/shell/runner.hpp"
#include "core/base/interrupt.hpp"
#include "core/kvm/all_fields.hpp"
#include "dwarf/fetching_finder.hpp"
#include "dwarf/finder.hpp"

namespace kvmscope {
namespace {

// Opens the standard descriptors that the caller closed: a file that got such a number would be
// written to as if it were standard output.
void open_standard_descriptors() {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(standard, F_GETFD) < 0) open("/dev/null", O_RDWR);  // takes the lowest free number
}

// https://no-color.org
bool wants_color() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

// A host that runs is busy with its guests, and they come first. What we start (a pager) is not
// idle.
void be_idle() {
  const sched_param none{};
  sched_setscheduler(0, SCHED_IDLE | SCHED_RESET_ON_FORK, &none);
}

Target target_of(const ProgramOptions& options, OpenLog& log) {
  if (options.core.empty())
    return {.path = "/proc/kcore",
            .open =
                [&log] {
                  be_idle();
                  return open_live("/", &log);
                },
            .implied = true};
  return {options.core, [core = options.core, overlay = options.overlay, &log] {
            std::unique_ptr<Dump> dump = open_dump(core, &log);
            return overlay.empty() ? std::move(dump) : overlay_dump(std::move(dump), overlay, &log);
          }};
}

// Whose debug files are meant without a dump and without -s: those of the kernel that runs.
std::string offline_release(const ProgramOptions& options) {
  struct utsname name {};
  return options.symbols.empty() && uname(&name) == 0 ? name.release : "";
}

int run(Session& session, Program& program) {
  if (!program.command.empty()) return run_words(session, program.command);
  if (!program.lines.empty() || !program.scripts.empty()) {
    int status = run_lines(session, program.lines, "-e");
    for (Script& script : program.scripts) {
      if (!goes_on(status) || session.quitting()) break;
      status = worse_status(status, run_script(session, script));
    }
    return status;
  }
  if (!program.is_shell) return run_lines(session, std::cin, "standard input");
  run_shell(session);
  return 0;
}

// Scripts are opened before anything runs, while we are who the user started.
Program program_of(Session& session, const ProgramOptions& options) {
  Program program{options.command, options.lines, {}, false};
  for (const std::string& path : options.scripts)
    program.scripts.push_back(open_script(session, path));
  program.is_shell = options.command.empty() && options.lines.empty() && options.scripts.empty() &&
                     isatty(STDIN_FILENO) != 0;
  return program;
}

int run(const std::vector<std::string>& arguments, Output& out, Messages& messages) {
  const std::vector<Command> commands = catalogue();
  const ProgramOptions options = parse_program(arguments, commands);
  if (options.version || !options.help.empty()) {
    out.write(options.version ? fmt::format("kvmscope {}\nreads dumps: {}\n", KVMSCOPE_VERSION,
                                            fmt::join(dump_codecs(), ", "))
                              : options.help);
    out.flush();
    return 0;
  }
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  out.before_write([&messages] { messages.clear_progress(); });
  Console console{
      .out = &out, .messages = messages, .terminal = terminal, .color = terminal && wants_color()};
  OpenLog log;
  const std::unique_ptr<DebugFinder> finder =
      make_debug_finder(options.symbols, "/", &log, kvm::fields_version());
  std::unique_ptr<DebugFinder> fetching;
  if (options.debuginfod)
    fetching = make_fetching_finder(
        *finder, [&messages](std::string_view text) { messages.progress(text); }, &log);
  const DebugFinder& uncached = fetching ? *fetching : *finder;
  const LayoutCache cache(layout_cache_folder(), kvm::fields_version(), &log);
  const std::unique_ptr<DebugFinder> caching = make_caching_finder(uncached, cache);
  Session session(target_of(options, log), options.no_cache ? uncached : *caching, commands,
                  console, offline_release(options), &log);
  if (!options.no_cache) session.use_layout_cache(cache);
  session.settings() = options.settings;
  Program program = program_of(session, options);
  if (has_privileges() && !needs_root(session, program)) give_up_root(session, program);
  return run(session, program);
}

// The last place that catches: nothing that went wrong leaves without a word and a status.
int guarded(const std::vector<std::string>& arguments) {
  Output out(STDOUT_FILENO);
  Output errors(STDERR_FILENO, Output::OnFailure::ignore);
  Messages messages(errors, isatty(STDERR_FILENO) != 0, wants_color());
  try {
    return run(arguments, out, messages);
  } catch (const Error& error) {
    if (out.reader_gone()) return 0;
    messages.error("", error.what());
    return exit_status(error.kind());
  } catch (const std::exception& error) {
    messages.error("internal error", error.what());
    return exit_status(ErrorKind::internal);
  }
}

}  // namespace
}  // namespace kvmscope

int main(int argc, char** argv) {
  kvmscope::open_standard_descriptors();
  // A reader that goes away is an error of write(), not the end of us.
  std::signal(SIGPIPE, SIG_IGN);
  kvmscope::catch_interrupts();
  return kvmscope::guarded({argv + 1, argv + argc});
}
