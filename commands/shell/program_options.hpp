// The program's own command line: what to open, how results look, what to run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "commands/command.hpp"
#include "commands/shell/settings.hpp"

namespace kvmscope {

// What --help and the manual page say.
inline constexpr std::string_view program_summary = "look inside KVM's x86 MMU";
inline constexpr std::string_view program_usages[] = {
    " [OPTION...] [COMMAND [ARG...]]",
    " [OPTION...] VMLINUX VMCORE [COMMAND [ARG...]]",
};
inline constexpr std::string_view program_description =
    "Looks inside KVM's x86 MMU, in a crash dump or, without -c, in the kernel that runs.\n"
    "Without COMMAND: a shell on a terminal, command lines from standard input otherwise.";

// An option of the program itself, as declared.
struct ProgramOption {
  std::string short_name;  // "-c"; may be empty
  std::string name;        // "--core"
  std::string value;       // "FILE"; empty: a switch
  std::string help;
};
std::vector<ProgramOption> program_options();

struct ProgramOptions {
  std::string core;                  // -c; empty: none
  std::vector<std::string> symbols;  // -s
  bool debuginfod = false;
  bool no_cache = false;
  std::string overlay;  // --overlay; empty: none
  Settings settings;
  std::vector<std::string> lines;    // -e
  std::vector<std::string> scripts;  // -x
  bool version = false;
  std::string help;                  // what --help wants to say; empty: not asked
  std::vector<std::string> command;  // the words from the command on
};

// Options end at the command word. `kvmscope VMLINUX VMCORE`, in either order, is -s and -c: files
// are told apart by what is in them. Throws Error{usage}.
ProgramOptions parse_program(const std::vector<std::string>& arguments,
                             const std::vector<Command>& catalogue);

}  // namespace kvmscope
