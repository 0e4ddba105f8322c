#include "commands/shell/history.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "commands/shell/user_folder.hpp"
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

bool history_is_ours() {
  struct stat status {};
  for (const char* variable : {"XDG_STATE_HOME", "HOME"})
    if (const std::string path = user_folder(variable); !path.empty())
      return stat(path.c_str(), &status) == 0 && status.st_uid == geteuid();
  return false;
}

std::string history_path() {
  if (const std::string state = user_folder("XDG_STATE_HOME"); !state.empty())
    return state + "/kvmscope/history";
  const std::string home = user_folder("HOME");
  return home.empty() ? "" : home + "/.local/state/kvmscope/history";
}

std::string History::use_file(const std::string& path, OpenLog* log) {
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
  FileDescriptor file = open_to_write(path, O_APPEND);
  if (file.get() < 0) return fmt::format("cannot write {}: {}", path, std::strerror(errno));
  if (log != nullptr) log->add(path, OpenedFor::appending);
  // Made by an older program or by hand: what was typed is nobody else's business.
  if (fchmod(file.get(), owner_only) != 0) return fmt::format("cannot protect {}", path);
  std::ifstream lines(path);
  if (lines && log != nullptr) log->add(path, OpenedFor::reading);
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) lines_.push_back(line);
  path_ = path;
  file_ = std::move(file);
  if (lines_.size() > most_lines) shorten_file(log);
  return "";
}

// Through a new file, so that a shell that ends in between loses nothing.
void History::shorten_file(OpenLog* log) {
  lines_.erase(lines_.begin(), lines_.end() - most_lines / 2);
  const std::string fresh = path_ + ".new";
  {
    const FileDescriptor file = open_to_write(fresh, O_TRUNC);
    if (file.get() < 0) return;
    if (log != nullptr) log->add(fresh, OpenedFor::writing);
    for (const std::string& line : lines_) write_line(file, line);
  }
  std::error_code failed;
  std::filesystem::rename(fresh, path_, failed);
  file_ = open_to_write(path_, O_APPEND);
}

bool History::add(std::string_view line) {
  if (line.find_first_not_of(" \t") == std::string_view::npos) return false;
  if (!lines_.empty() && lines_.back() == line) return false;
  lines_.emplace_back(line);
  if (path_.empty()) return true;
  // Another shell may have put a shorter file in its place.
  const FileDescriptor fresh = open_to_write(path_, O_APPEND);
  write_line(fresh.get() >= 0 ? fresh : file_, line);
  return true;
}

}  // namespace kvmscope
