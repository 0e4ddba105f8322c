#include "core/base/replaced_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.hpp"
#include "core/base/replacement_keeper.hpp"

namespace kvmscope {
namespace {

constexpr mode_t owner_only = 0600;
constexpr unsigned most_lock_attempts = 100;

[[noreturn]] void cannot_write(const std::string& path, std::string_view reason) {
  throw_error(ErrorKind::usage, "cannot write {}: {}", path, reason);
}

struct SplitPath {
  std::string folder;
  std::string name;
};

SplitPath split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  SplitPath parts{slash == std::string::npos ? "." : path.substr(0, slash),
                  path.substr(slash == std::string::npos ? 0 : slash + 1)};
  // "link/" would follow the link.
  while (parts.folder.size() > 1 && parts.folder.back() == '/') parts.folder.pop_back();
  if (parts.folder.empty()) parts.folder.assign(1, '/');
  if (parts.name.empty() || parts.name == "." || parts.name == "..")
    cannot_write(path, "it is a folder");
  return parts;
}

// Who may write where a link leads chose what we would write over.
FileDescriptor open_folder(const std::string& path, const std::string& folder) {
  struct stat status {};
  if (lstat(folder.c_str(), &status) == 0 && S_ISLNK(status.st_mode))
    cannot_write(path, fmt::format("{} is a symbolic link; name the folder itself", folder));
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) cannot_write(path, fmt::format("{}: {}", folder, std::strerror(errno)));
  return FileDescriptor(fd);
}

void check_old_file(const std::string& path, int folder, const std::string& name) {
  struct stat status {};
  if (fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (!S_ISREG(status.st_mode))
    cannot_write(path, S_ISLNK(status.st_mode) ? "it is a symbolic link; name what it points to"
                                               : "it is there and no ordinary file");
}

// Whether `fd` is still the file of that name: the one who had the lock takes the file away.
bool is_named(int folder, const char* name, int fd) {
  struct stat named {};
  struct stat opened {};
  return fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
         named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

FileDescriptor take_lock(const std::string& path, int folder) {
  for (unsigned attempt = 0; attempt < most_lock_attempts; ++attempt) {
    FileDescriptor lock(openat(folder, replacement_lock,
                               O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, owner_only));
    if (lock.get() < 0) cannot_write(path, std::strerror(errno));
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) break;
    if (is_named(folder, replacement_lock, lock.get())) return lock;
  }
  throw_error(ErrorKind::unavailable,
              "another kvmscope is writing into the folder of {}: try again when it has ended",
              path);
}

// What a process that was killed left behind is in the way, and nobody else's: we have the lock.
FileDescriptor make_temporary(int folder, mode_t mode) {
  unlinkat(folder, replacement_temporary, 0);
  FileDescriptor file(openat(folder, replacement_temporary,
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, owner_only));
  if (file.get() >= 0 && mode != owner_only && fchmod(file.get(), mode) != 0) return {};
  return file;
}

}  // namespace

ReplacedFile::ReplacedFile(const std::string& path, mode_t mode) : path_(path) {
  const SplitPath parts = split(path);
  const FileDescriptor folder = open_folder(path, parts.folder);
  check_old_file(path, folder.get(), parts.name);
  const FileDescriptor lock = take_lock(path, folder.get());
  start_keeper(folder.get(), lock.get(), parts.name);
  file_ = make_temporary(folder.get(), mode);
  if (file_.get() >= 0) return;
  const int reason = errno;
  end_keeper();
  cannot_write(path, std::strerror(reason));
}

void ReplacedFile::start_keeper(int folder, int lock, const std::string& name) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw_error(ErrorKind::unavailable, "cannot make a socket: {}", std::strerror(errno));
  keeper_ = FileDescriptor(ends[0]);
  const FileDescriptor theirs(ends[1]);
  child_ = fork();
  if (child_ < 0)
    throw_error(ErrorKind::unavailable, "cannot start the process that would put {} in place: {}",
                path_, std::strerror(errno));
  if (child_ == 0) keep_replacement({theirs.get(), folder, lock, name});
  // It has taken over: until then our end would leave the temporary file.
  char ready = 0;
  if (recv(keeper_.get(), &ready, 1, 0) != 1) {
    end_keeper();
    throw_error(ErrorKind::unavailable,
                "the process that would put {} in place has ended (is seccomp not allowed here?)",
                path_);
  }
}

void ReplacedFile::end_keeper() {
  keeper_ = FileDescriptor();
  if (child_ < 0) return;
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) continue;
  child_ = -1;
}

void ReplacedFile::commit() {
  int answer = fsync(file_.get()) != 0 ? errno : 0;
  if (answer == 0) answer = ask_keeper();
  end_keeper();
  if (answer != 0)
    throw_error(ErrorKind::internal, "cannot put {} in place: {}", path_, std::strerror(answer));
}

// 0 or an errno.
int ReplacedFile::ask_keeper() {
  int answer = 0;
  const bool asked = send(keeper_.get(), "", 1, MSG_NOSIGNAL) == 1;
  ssize_t count = 0;
  do {
    count = asked ? recv(keeper_.get(), &answer, sizeof answer, MSG_WAITALL) : 0;
  } while (count < 0 && errno == EINTR);
  return count == sizeof answer ? answer : EPIPE;
}

ReplacedFile::~ReplacedFile() {
  end_keeper();
}

}  // namespace kvmscope
