#include "commands/shell/destination.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "commands/output/terminal.hpp"
#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// Starts /bin/sh with its input from `input` and the signals that we ignore set back.
int spawn_shell(const std::string& command, int input, pid_t& child) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGINT);
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::string shell = "sh";
  std::string option = "-c";
  std::string text = command;
  char* const arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  const int failed = posix_spawn(&child, "/bin/sh", &files, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return failed;
}

std::string pager() {
  const char* chosen = std::getenv("PAGER");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  // Nothing is sent to /dev/null: where root was given up, that cannot be opened for writing.
  return "case $(command -v less) in ?*) exec less -FRSX;; *) exec cat;; esac";
}

}  // namespace

ReadingProgram::ReadingProgram(const std::string& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw_error(ErrorKind::unavailable, "cannot make a pipe: {}", std::strerror(errno));
  const FileDescriptor output(ends[0]);
  input_ = FileDescriptor(ends[1]);
  const int failed = spawn_shell(command, output.get(), child_);
  if (failed != 0) {
    child_ = -1;
    throw_error(ErrorKind::unavailable, "cannot start {}: {}", command, std::strerror(failed));
  }
}

ReadingProgram::~ReadingProgram() {
  input_ = FileDescriptor();
  if (child_ < 0) return;
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) continue;
}

Destination::Destination(Console& console, OutputFiles& files, const Redirection& redirection,
                         bool paged)
    : console_(console), outer_(console) {
  switch (redirection.kind) {
    case Redirection::Kind::none:
      if (paged) page();
      break;
    case Redirection::Kind::pipe:
      program_ = std::make_unique<ReadingProgram>(redirection.target);
      redirect_to(program_->input());
      break;
    case Redirection::Kind::write:
    case Redirection::Kind::append:
      file_ = files.open(redirection.target, redirection.kind == Redirection::Kind::append);
      redirect_to(file_.get());
      break;
  }
}

void Destination::redirect_to(int fd) {
  outer_.out->flush();
  own_ = std::make_unique<Output>(fd);
  console_.out = own_.get();
  console_.terminal = false;
  console_.color = false;
}

// The pager starts once there is more than a screen; the prompt comes back below the last line.
void Destination::page() {
  redirect_to(STDOUT_FILENO);
  console_.terminal = true;
  console_.color = outer_.color;
  own_->before_write([this] { console_.messages.clear_progress(); });
  own_->hold(terminal_size().lines - 2, [this] {
    console_.messages.hold();
    program_ = std::make_unique<ReadingProgram>(pager());
    return program_->input();
  });
}

void Destination::finish() {
  if (own_ != nullptr)
    own_->release();
  else
    console_.out->flush();
}

Destination::~Destination() {
  console_.out = outer_.out;
  console_.terminal = outer_.terminal;
  console_.color = outer_.color;
  program_.reset();
  console_.messages.release();
}

}  // namespace kvmscope
