// Where a session's words go: results, messages, and whether a person sits there.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "commands/output/messages.hpp"
#include "commands/output/output.hpp"

namespace kvmscope {

struct Console {
  Output* out;  // of the line that runs now: standard output, a file, a program, the pager
  Messages& messages;
  bool terminal = false;     // `out` is a terminal, or a pager on one
  bool color = false;        // and colour is wanted there
  bool interactive = false;  // a shell with a prompt: long output is paged
  // A line typed there; none at the end of the input. Empty: nobody sits there.
  std::function<std::optional<std::string>(const std::string& prompt)> read_line = {};
};

}  // namespace kvmscope
