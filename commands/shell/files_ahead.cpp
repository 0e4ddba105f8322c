#include "commands/shell/files_ahead.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "commands/shell/caught.hpp"

namespace kvmscope {
namespace {

// A series of snapshots may have more files than a process has open by default.
bool allow_more_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return false;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

// What opens a file, kept with what it throws.
template <typename Files, typename Open>
void keep(Files& files, const std::string& path, Open&& open) {
  typename Files::mapped_type ahead;
  if (const std::optional<Error> failure = caught([&] { ahead.file = open(); }))
    ahead.failure = std::make_unique<Error>(*failure);
  files.insert_or_assign(path, std::move(ahead));
}

}  // namespace

FileDescriptor FilesAhead::open(const std::string& path) const {
  const auto open_once = [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); };
  int fd = open_once();
  if (fd < 0 && errno == EMFILE && allow_more_files()) fd = open_once();
  if (fd < 0) throw_error(ErrorKind::unavailable, "cannot open {}: {}", path, std::strerror(errno));
  if (log_ != nullptr) log_->add(path, OpenedFor::reading);
  return FileDescriptor(fd);
}

std::unique_ptr<ReplacedFile> FilesAhead::make(const std::string& path, mode_t mode) const {
  auto file = std::make_unique<ReplacedFile>(path, mode);
  if (log_ != nullptr) log_->add(path, OpenedFor::writing);
  return file;
}

void FilesAhead::read_later(const std::string& path) {
  if (!to_read_.contains(path)) keep(to_read_, path, [&] { return open(path); });
}

void FilesAhead::replace_later(const std::string& path, mode_t mode) {
  if (!to_replace_.contains(path)) keep(to_replace_, path, [&] { return make(path, mode); });
}

FileDescriptor FilesAhead::read(const std::string& path) {
  const auto found = to_read_.find(path);
  if (found == to_read_.end()) return open(path);
  if (found->second.failure) throw Error(*found->second.failure);
  FileDescriptor file(fcntl(found->second.file.get(), F_DUPFD_CLOEXEC, 0));
  if (file.get() < 0 || lseek(file.get(), 0, SEEK_SET) < 0)
    throw_error(ErrorKind::unavailable, "cannot read {}: {}", path, std::strerror(errno));
  return file;
}

std::unique_ptr<ReplacedFile> FilesAhead::replace(const std::string& path, mode_t mode) {
  const auto found = to_replace_.find(path);
  if (found == to_replace_.end()) {
    if (list_closed_)
      throw_error(ErrorKind::usage,
                  "cannot write {}: kvmscope was started as root and has given up writing files "
                  "that its command line does not name; name the file there, or start it from "
                  "your own shell",
                  path);
    return make(path, mode);
  }
  Ahead<std::unique_ptr<ReplacedFile>> ahead = std::move(found->second);
  to_replace_.erase(found);
  if (ahead.failure) throw Error(*ahead.failure);
  return std::move(ahead.file);
}

}  // namespace kvmscope
