// What the word at the cursor could become.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "commands/shell/session.hpp"

namespace kvmscope {

struct Completion {
  std::size_t start = 0;                // in the line: candidates replace [start, cursor)
  std::vector<std::string> candidates;  // sorted, each once
  bool ends_word = true;                // a blank may follow the only candidate
  bool are_files = false;               // the candidates are files
};

// May open the target and the debug info, and throw what that throws.
Completion complete(Session& session, std::string_view line, std::size_t cursor);

}  // namespace kvmscope
