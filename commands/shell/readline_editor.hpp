// Lines typed at a prompt: editing, history and completion, by GNU readline.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "commands/shell/complete.hpp"

namespace kvmscope {

// There can be one at a time: readline's state is global.
class LineEditor {
 public:
  using Complete = std::function<Completion(std::string_view line, std::size_t cursor)>;
  explicit LineEditor(Complete complete);
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;
  ~LineEditor();

  // None at the end of the input (Ctrl-D). Ctrl-C clears the line.
  std::optional<std::string> read(const std::string& prompt);
  void remember(const std::string& line);
};

}  // namespace kvmscope
