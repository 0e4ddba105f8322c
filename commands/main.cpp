// kvmscope: builds the parts, hands them to a session, and runs what the user asked for.

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

#include <fmt/ranges.h>

#include "commands/catalogue.hpp"
#include "commands/shell/interactive.hpp"
#include "commands/shell/program_options.hpp"
#include "commands/shell/runner.hpp"
#include "core/base/interrupt.hpp"
#include "dwarf/finder.hpp"

namespace kvmscope {
namespace {

// Opens the standard descriptors that the caller closed: a file that got such a number would be
// written to as if it were standard output.
void open_standard_descriptors() {
  int fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDWR);
  if (fd >= 0) close(fd);
}

// https://no-color.org
bool wants_color() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

Target target_of(const ProgramOptions& options) {
  if (options.core.empty())
    return {.path = "/proc/kcore", .open = [] { return open_live(); }, .implied = true};
  return {options.core, [core = options.core, overlay = options.overlay] {
            std::unique_ptr<Dump> dump = open_dump(core);
            return overlay.empty() ? std::move(dump) : overlay_dump(std::move(dump), overlay);
          }};
}

// Whose debug files are meant without a dump and without -s: those of the kernel that runs.
std::string offline_release(const ProgramOptions& options) {
  struct utsname name {};
  return options.symbols.empty() && uname(&name) == 0 ? name.release : "";
}

int run(Session& session, const ProgramOptions& options) {
  if (!options.command.empty()) return run_words(session, options.command);
  if (!options.lines.empty() || !options.scripts.empty()) {
    int status = run_lines(session, options.lines, "-e");
    for (const std::string& script : options.scripts) {
      if (!goes_on(status) || session.quitting()) break;
      status = worse_status(status, run_script(session, script));
    }
    return status;
  }
  const bool terminal = isatty(STDIN_FILENO) != 0;
  if (!terminal) return run_lines(session, std::cin, "standard input");
  run_shell(session);
  return 0;
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
  const std::unique_ptr<DebugFinder> finder = make_debug_finder(options.symbols);
  Session session(target_of(options), *finder, commands, console, offline_release(options));
  session.settings() = options.settings;
  return run(session, options);
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
