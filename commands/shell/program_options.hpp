// The program's own command line: what to open, how results look, what to run.
#pragma once

#include <string>
#include <vector>

#include "commands/command.hpp"
#include "commands/shell/settings.hpp"

namespace kvmscope {

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
