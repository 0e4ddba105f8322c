#include "core/probe/guardian.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/base/error.hpp"
#include "core/probe/removal.hpp"

namespace kvmscope::probe {
namespace {

// The dead process's files of the instance close a moment after the pipe.
constexpr unsigned patience_ms = 5000;
constexpr char dismissed = 'd';

// Ends with the process that forked, or when that says so; these do not end it.
void ignore_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU})
    std::signal(signal, SIG_IGN);
}

// Nobody must wait for us because we hold the pipe that the other process wrote its output to.
void close_all_but(int kept) {
  const int null = open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (null >= 0) dup2(null, standard);
  const auto first = static_cast<unsigned>(STDERR_FILENO + 1);
  const auto pipe = static_cast<unsigned>(kept);
  if (pipe > first) close_range(first, pipe - 1, 0);
  close_range(pipe + 1, ~0U, 0);
}

bool is_dismissed(int pipe) {
  char byte = 0;
  ssize_t count = 0;
  do {
    count = read(pipe, &byte, 1);
  } while (count < 0 && errno == EINTR);
  return count == 1 && byte == dismissed;
}

[[noreturn]] void guard(int pipe, const std::string& tracefs_root, const std::string& run_name) {
  setsid();
  ignore_signals();
  prctl(PR_SET_NAME, "kvmscope-guard");
  close_all_but(pipe);
  if (chdir("/") != 0) _exit(1);
  if (!is_dismissed(pipe)) {
    const std::unique_ptr<Tracefs> tracefs = tracefs_at(tracefs_root);
    _exit(remove_run(*tracefs, run_name, patience_ms).empty() ? 0 : 1);
  }
  _exit(0);
}

}  // namespace

Guardian::Guardian(const std::string& tracefs_root, const std::string& run_name) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw_error(ErrorKind::unavailable, "cannot make a pipe: {}", std::strerror(errno));
  FileDescriptor reading(ends[0]);
  alive_ = FileDescriptor(ends[1]);
  child_ = fork();
  if (child_ < 0)
    throw_error(ErrorKind::unavailable, "cannot start the process that would clean up: {}",
                std::strerror(errno));
  if (child_ == 0) guard(reading.release(), tracefs_root, run_name);
}

Guardian::~Guardian() {
  // If it is gone already, there is nobody to tell: SIGPIPE is ignored.
  while (write(alive_.get(), &dismissed, 1) < 0 && errno == EINTR) continue;
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) continue;
}

}  // namespace kvmscope::probe
