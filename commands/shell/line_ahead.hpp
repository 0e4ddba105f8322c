// What lines would do, looked at before any of them runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "commands/shell/lexer.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope {

// What a line would run, and where it would send the result; a line that makes no sense: neither.
struct LineAhead {
  const Command* command = nullptr;
  Arguments args;
  Redirection redirection;
};
LineAhead look_at_line(const Session& session, std::string_view line);
// The same for words that a shell has split already.
LineAhead look_at_words(const Session& session, const std::vector<std::string>& words);

}  // namespace kvmscope
