// What is said beside a result: notes, errors and progress, on standard error.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "commands/output/output.hpp"

namespace kvmscope {

class Messages {
 public:
  // `terminal`: colour (unless NO_COLOR) and progress are wanted.
  Messages(Output& out, bool terminal, bool color)
      : out_(out), terminal_(terminal), color_(terminal && color) {}

  // "kvmscope: note: TEXT". Text from the target may be in it: it is escaped, as in all of these.
  void note(std::string_view text);
  // "kvmscope: WHERE: TEXT" (WHERE may be empty).
  void error(std::string_view where, std::string_view text);
  // A line as it is: the user's input above a caret, --timing.
  void line(std::string_view text);

  // Keeps messages back while a pager has the terminal.
  void hold() { holding_ = true; }
  void release();

  // Shows what is going on once a second has passed since start_progress(), on a terminal only.
  void start_progress();
  void progress(std::string_view text);
  void clear_progress();

 private:
  using Clock = std::chrono::steady_clock;
  void send(std::string_view bytes);

  Output& out_;
  bool terminal_;
  bool color_;
  bool progress_shown_ = false;
  bool holding_ = false;
  std::string held_;
  Clock::time_point next_progress_ = Clock::time_point::max();
};

}  // namespace kvmscope
