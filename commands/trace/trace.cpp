// trace: what KVM does while it does it, through probes that are gone when the command ends.

#include "commands/trace/trace.hpp"

#include "commands/catalogue.hpp"

namespace kvmscope {

Command trace() {
  Command trace = {
      .names = {"trace"},
      .summary = "show what KVM's MMU does while it does it, on a live host",
      .details =
          "The one command that changes something: it puts kernel probes into an instance of\n"
          "tracefs of its own, and takes all of it out again however it ends. It says what it\n"
          "adds before it does (--dry-run), and disarms itself beyond --max-rate events a second.",
      .needs_root = true,
      .subcommands = {tracing::load(), tracing::events(), tracing::unsync(), tracing::at()},
  };
  for (Command& each : trace.subcommands) {
    each.needs_root = true;
    each.streams = true;
  }
  return trace;
}

}  // namespace kvmscope
