#include "commands/shell/output_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

constexpr mode_t everyone = 0666;  // less the umask

FileDescriptor open_to_write(const std::string& path, int flags) {
  return FileDescriptor(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, everyone));
}

[[noreturn]] void cannot_write(const std::string& path, int reason) {
  throw_error(ErrorKind::usage, "cannot write to {}: {}", path, std::strerror(reason));
}

}  // namespace

void OutputFiles::open_ahead(const std::string& path) {
  FileDescriptor file = open_to_write(path, 0);
  if (file.get() < 0) return;
  if (log_ != nullptr) log_->add(path, OpenedFor::writing);
  ahead_.insert_or_assign(path, std::move(file));
}

FileDescriptor OutputFiles::open(const std::string& path, bool append) {
  if (const auto found = ahead_.find(path); found != ahead_.end())
    return reopen(path, found->second.get(), append);
  if (list_closed_)
    throw_error(ErrorKind::usage,
                "cannot write to {}: kvmscope was started as root and has given up opening files "
                "for writing; send its own output there (kvmscope … COMMAND > {}), or name the "
                "file on its command line (-e 'COMMAND > {}')",
                path, path, path);
  FileDescriptor file = open_to_write(path, append ? O_APPEND : O_TRUNC);
  if (file.get() < 0) cannot_write(path, errno);
  if (log_ != nullptr) log_->add(path, append ? OpenedFor::appending : OpenedFor::writing);
  return file;
}

// A second descriptor of the file that is open: /proc/self/fd would open it anew.
FileDescriptor OutputFiles::reopen(const std::string& path, int fd, bool append) const {
  FileDescriptor file(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  const bool ready = file.get() >= 0 && fcntl(file.get(), F_SETFL, append ? O_APPEND : 0) == 0;
  if (!ready) cannot_write(path, errno);
  // A pipe or a terminal can be neither emptied nor wound back.
  const bool whole = lseek(file.get(), 0, append ? SEEK_END : SEEK_SET) >= 0;
  if (whole && !append && ftruncate(file.get(), 0) != 0 && errno != EINVAL)
    cannot_write(path, errno);
  return file;
}

}  // namespace kvmscope
