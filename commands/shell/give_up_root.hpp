// Stops being root once all that takes root is open.
#pragma once

#include <string>
#include <vector>

#include "commands/shell/runner.hpp"

namespace kvmscope {

// What kvmscope was started for: one command, lines and scripts, or lines that come from standard
// input.
struct Program {
  std::vector<std::string> command;  // the words that the user's shell split
  std::vector<std::string> lines;
  std::vector<Script> scripts;
  bool is_shell = false;  // standard input is a person
};

// Whether it names a command that must be root while it runs (trace).
bool needs_root(const Session& session, Program& program);

// Opens the target, its debug files, the history and every file that lines and scripts name
// to read or to send results to; then becomes the user behind sudo, or nobody, and refuses to open
// files but for reading, for good. For lines that are yet to come and read a dump, files can be
// written, and root whom nobody called through sudo stays what it is. Throws Error{unavailable}
// when root could not be given up.
void give_up_root(Session& session, Program& program);

}  // namespace kvmscope
