// How a declaration reads: what `help` and the manual page say in the same words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "commands/command.hpp"
#include "commands/shell/arguments.hpp"

namespace kvmscope {

// "roots [OPTION...] [VM]"
std::string usage(const Command& command);
// "--level N", or the name alone of a switch.
std::string option_text(std::string_view name, std::string_view value);
// "-f, --format"
std::string names_of(const OutputOption& option);
// "nothing", "debug info" or "target".
std::string_view word(Needs needs);
// What must be at hand, as a sentence; may have several lines.
std::string_view needs_text(const Command& command);

}  // namespace kvmscope
