#include "core/probe/tracefs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/base/error.hpp"

namespace kvmscope::probe {
namespace {

constexpr mode_t folder_mode = 0750;  // tracefs sets its own
constexpr std::string_view usual_place = "/sys/kernel/tracing";

class Folder : public Tracefs {
 public:
  explicit Folder(std::string root) : root_(std::move(root)) {}

  const std::string& root() const override { return root_; }

  int read(const std::string& path, std::string& text) const override {
    const FileDescriptor file(open(full(path).c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return errno;
    text.clear();
    char buffer[1U << 16];
    for (;;) {
      const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno;
      if (count == 0) return 0;
      text.append(buffer, static_cast<std::size_t>(count));
    }
  }

  bool exists(const std::string& path) const override {
    return access(full(path).c_str(), F_OK) == 0;
  }

  std::vector<std::string> folders(const std::string& path) const override {
    std::vector<std::string> names;
    DIR* folder = opendir(full(path).c_str());
    if (folder == nullptr) return names;
    while (const dirent* entry = readdir(folder)) {
      const std::string name = entry->d_name;
      struct stat about {};
      if (name != "." && name != ".." && stat(full(path + '/' + name).c_str(), &about) == 0 &&
          S_ISDIR(about.st_mode))
        names.push_back(name);
    }
    closedir(folder);
    std::sort(names.begin(), names.end());
    return names;
  }

  int write(const std::string& path, std::string_view text) override {
    return put(path, text, O_TRUNC);
  }
  int append(const std::string& path, std::string_view text) override {
    return put(path, text, O_APPEND);
  }
  int make_folder(const std::string& path) override {
    return mkdir(full(path).c_str(), folder_mode) == 0 ? 0 : errno;
  }
  int remove_folder(const std::string& path) override {
    return rmdir(full(path).c_str()) == 0 ? 0 : errno;
  }

  FileDescriptor open_stream(const std::string& path) const override {
    FileDescriptor file(open(full(path).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (file.get() < 0)
      throw_error(ErrorKind::unavailable, "cannot open {}: {}", full(path), std::strerror(errno));
    return file;
  }

 private:
  std::string full(const std::string& path) const { return root_ + '/' + path; }

  int put(const std::string& path, std::string_view text, int flags) {
    const FileDescriptor file(open(full(path).c_str(), O_WRONLY | O_CLOEXEC | flags));
    if (file.get() < 0) return errno;
    // The kernel takes a command from one write() or not at all.
    for (;;) {
      const ssize_t count = ::write(file.get(), text.data(), text.size());
      if (count >= 0) return static_cast<std::size_t>(count) == text.size() ? 0 : EIO;
      if (errno != EINTR) return errno;
    }
  }

  std::string root_;
};

}  // namespace

std::string Tracefs::text(const std::string& path) const {
  std::string text;
  const int failed = read(path, text);
  if (failed != 0)
    throw_error(ErrorKind::unavailable, "cannot read {}/{}: {}", root(), path,
                std::strerror(failed));
  return text;
}

std::unique_ptr<Tracefs> tracefs_at(std::string root) {
  return std::make_unique<Folder>(std::move(root));
}

std::string find_tracefs(const std::string& mounts) {
  // Below debugfs it is mounted when somebody looks.
  static_cast<void>(access("/sys/kernel/debug/tracing/.", F_OK));
  std::ifstream lines(mounts);
  std::string found;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string device;
    std::string place;
    std::string type;
    words >> device >> place >> type;
    if (type == "tracefs" && (found.empty() || place == usual_place)) found = place;
  }
  if (found.empty())
    throw_error(ErrorKind::unavailable,
                "tracefs is not mounted: `mount -t tracefs tracefs {}` as root", usual_place);
  if (access((found + "/kprobe_events").c_str(), F_OK) != 0 && errno == ENOENT)
    throw_error(ErrorKind::unavailable,
                "{} has no kprobe_events: this kernel is built without CONFIG_KPROBE_EVENTS",
                found);
  if (access((found + "/kprobe_events").c_str(), W_OK) != 0)
    throw_error(ErrorKind::unavailable, "may not write to {}: {}; run it as root", found,
                std::strerror(errno));
  return found;
}

}  // namespace kvmscope::probe
