#include "commands/shell/history.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "core/base/file.hpp"

namespace kvmscope {
namespace {

constexpr mode_t owner_only = 0600;

FileDescriptor open_to_write(const std::string& path, int flags) {
  return FileDescriptor(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, owner_only));
}

// A line of history that does not get to the disk is no reason to disturb anyone.
void write_line(const FileDescriptor& file, std::string_view line) {
  const std::string text = fmt::format("{}\n", line);
  [[maybe_unused]] const ssize_t written = write(file.get(), text.data(), text.size());
}

}  // namespace

std::string history_path() {
  const auto folder = [](const char* variable) -> std::string {
    const char* value = std::getenv(variable);
    // The XDG specification: a path that is not absolute is to be ignored.
    return value != nullptr && value[0] == '/' ? value : "";
  };
  if (const std::string state = folder("XDG_STATE_HOME"); !state.empty())
    return state + "/kvmscope/history";
  const std::string home = folder("HOME");
  return home.empty() ? "" : home + "/.local/state/kvmscope/history";
}

std::string History::use_file(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
  const FileDescriptor file = open_to_write(path, O_APPEND);
  if (file.get() < 0) return fmt::format("cannot write {}: {}", path, std::strerror(errno));
  // Made by an older program or by hand: what was typed is nobody else's business.
  if (fchmod(file.get(), owner_only) != 0) return fmt::format("cannot protect {}", path);
  std::ifstream lines(path);
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) lines_.push_back(line);
  path_ = path;
  if (lines_.size() > most_lines) shorten_file();
  return "";
}

// Through a new file, so that a shell that ends in between loses nothing.
void History::shorten_file() {
  lines_.erase(lines_.begin(), lines_.end() - most_lines / 2);
  const std::string fresh = path_ + ".new";
  {
    const FileDescriptor file = open_to_write(fresh, O_TRUNC);
    if (file.get() < 0) return;
    for (const std::string& line : lines_) write_line(file, line);
  }
  std::error_code failed;
  std::filesystem::rename(fresh, path_, failed);
}

bool History::add(std::string_view line) {
  if (line.find_first_not_of(" \t") == std::string_view::npos) return false;
  if (!lines_.empty() && lines_.back() == line) return false;
  lines_.emplace_back(line);
  if (path_.empty()) return true;
  const FileDescriptor file = open_to_write(path_, O_APPEND);
  if (file.get() >= 0) write_line(file, line);
  return true;
}

}  // namespace kvmscope
