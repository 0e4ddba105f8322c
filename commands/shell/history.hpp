// The lines a user has typed, kept in a file between sessions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.hpp"

namespace kvmscope {

class History {
 public:
  static constexpr std::size_t most_lines = 10'000;

  // Reads `path` (absolute) and adds to it from now on (mode 0600, folders made as needed). A file
  // that cannot be read or written costs the history only: the reason comes back, empty when fine.
  std::string use_file(const std::string& path, OpenLog* log = nullptr);
  // Whether use_file() went well.
  bool has_file() const { return file_.get() >= 0; }
  // Blank lines and a repetition of the last one are left out. Returns whether it was added.
  bool add(std::string_view line);
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  void shorten_file(OpenLog* log);

  std::string path_;
  FileDescriptor file_;  // for the day when the path can no longer be opened
  std::vector<std::string> lines_;
};

// Whether the folder that the path starts with ($XDG_STATE_HOME or $HOME) is that of the effective
// user.
bool history_is_ours();
// XDG_STATE_HOME/kvmscope/history, else ~/.local/state/…; empty when neither is known.
std::string history_path();

}  // namespace kvmscope
