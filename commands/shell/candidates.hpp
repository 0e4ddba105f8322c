// Completion of single values: one function for each kind of argument.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "commands/command.hpp"

namespace kvmscope {

class Session;

// At most this many symbols or type names are looked up for one completion.
inline constexpr std::size_t most_candidates = 500;

// Values of that kind that may start with `prefix`; none for kinds that are any text.
std::vector<std::string> candidates(Session& session, ArgumentKind kind, std::string_view prefix);

// What those commands can be called, aliases too.
std::vector<std::string> command_names(const std::vector<Command>& commands);

// Files and folders (with a slash) that start with `prefix`.
std::vector<std::string> file_candidates(std::string_view prefix);

}  // namespace kvmscope
