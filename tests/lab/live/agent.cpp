// The machine's first process once it is set up: runs the shell command lines that the test on the
// host sends, several at a time, and sends back what they write and how they end.
//
// A frame, both ways: u32 length of the payload, u32 number of the command, u8 kind (little
// endian), payload.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr size_t kHeaderBytes = 9;
constexpr size_t kMostBytes = 64 * 1024;
// The end of a command just before poll() is noticed after it.
constexpr int kPollMilliseconds = 20;

// From the host:
constexpr char kRun = 'r';       // a command line; its standard input is empty
constexpr char kConverse = 'c';  // a command line; its standard input is what kInput brings
constexpr char kInput = 'i';     // nothing: the end of the input
constexpr char kSignal = 's';    // a signal's number, for the command's own process
// To the host:
constexpr char kHello = 'h';
constexpr char kOutput = 'o';
constexpr char kErrors = 'e';
constexpr char kEnd = 'x';  // what waitpid says

struct Frame {
  uint32_t command;
  char kind;
  std::string payload;
};

struct Command {
  pid_t process;
  int input;
  int output;
  int errors;
};

[[noreturn]] void fail(const char* what) {
  std::printf("FAILED agent: %s: %s\n", what, std::strerror(errno));
  std::fflush(stdout);
  _exit(1);
}

class Port {
 public:
  explicit Port(const char* path) : fd_(open(path, O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0) fail(path);
  }

  int fd() const { return fd_; }

  void send(uint32_t command, char kind, const char* data, size_t bytes) const {
    char header[kHeaderBytes];
    uint32_t length = static_cast<uint32_t>(bytes);
    std::memcpy(header, &length, 4);
    std::memcpy(header + 4, &command, 4);
    header[8] = kind;
    put(header, kHeaderBytes);
    put(data, bytes);
  }

  Frame receive() const {
    char header[kHeaderBytes];
    get(header, kHeaderBytes);
    uint32_t length = 0;
    Frame frame{};
    std::memcpy(&length, header, 4);
    std::memcpy(&frame.command, header + 4, 4);
    frame.kind = header[8];
    frame.payload.resize(length);
    get(frame.payload.data(), length);
    return frame;
  }

 private:
  void put(const char* data, size_t bytes) const {
    while (bytes > 0) {
      ssize_t written = write(fd_, data, bytes);
      if (written < 0 && errno != EINTR) fail("write to the host");
      if (written > 0) data += written, bytes -= written;
    }
  }

  void get(char* data, size_t bytes) const {
    while (bytes > 0) {
      ssize_t got = read(fd_, data, bytes);
      // 0 says that the host is not connected (yet).
      if (got < 0 && errno != EINTR && errno != EAGAIN) fail("read from the host");
      if (got > 0)
        data += got, bytes -= got;
      else
        usleep(10'000);
    }
  }

  int fd_;
};

class Agent {
 public:
  explicit Agent(const char* path) : port_(path) {}

  [[noreturn]] void serve() {
    port_.send(0, kHello, "", 0);
    for (;;) {
      std::vector<pollfd> files = watched();
      if (poll(files.data(), files.size(), kPollMilliseconds) < 0 && errno != EINTR) fail("poll");
      for (auto& [number, command] : commands_) forward(number, command);
      reap();
      if (files.front().revents & POLLIN) obey(port_.receive());
    }
  }

 private:
  std::vector<pollfd> watched() const {
    std::vector<pollfd> files{{port_.fd(), POLLIN, 0}};
    for (const auto& [number, command] : commands_)
      for (int fd : {command.output, command.errors})
        if (fd >= 0) files.push_back({fd, POLLIN, 0});
    return files;
  }

  void obey(const Frame& frame) {
    auto known = commands_.find(frame.command);
    if (frame.kind == kRun || frame.kind == kConverse)
      start(frame);
    else if (known == commands_.end())
      return;  // it has ended since
    else if (frame.kind == kSignal)
      kill(known->second.process, std::atoi(frame.payload.c_str()));
    else if (frame.kind == kInput)
      feed(known->second, frame.payload);
  }

  void start(const Frame& frame) {
    int input[2], output[2], errors[2];
    if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC) || pipe2(errors, O_CLOEXEC))
      fail("pipe");
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
      setsid();
      dup2(input[0], STDIN_FILENO);
      dup2(output[1], STDOUT_FILENO);
      dup2(errors[1], STDERR_FILENO);
      signal(SIGPIPE, SIG_DFL);
      execl("/bin/sh", "sh", "-c", frame.payload.c_str(), nullptr);
      _exit(127);
    }
    for (int fd : {input[0], output[1], errors[1]}) close(fd);
    for (int fd : {output[0], errors[0]}) fcntl(fd, F_SETFL, O_NONBLOCK);
    Command command{child, input[1], output[0], errors[0]};
    if (frame.kind == kRun) shut(command.input);
    commands_[frame.command] = command;
  }

  void feed(Command& command, const std::string& text) {
    if (text.empty()) return shut(command.input);
    // A command that reads no input may have more to write first, but never as much as a pipe
    // holds.
    if (command.input >= 0 && write(command.input, text.data(), text.size()) < 0)
      shut(command.input);
  }

  void forward(uint32_t number, Command& command) {
    pass_on(number, kOutput, command.output);
    pass_on(number, kErrors, command.errors);
  }

  // Sends all that there is at the moment.
  void pass_on(uint32_t number, char kind, int& fd) {
    char buffer[kMostBytes];
    while (fd >= 0) {
      ssize_t got = read(fd, buffer, sizeof buffer);
      if (got > 0)
        port_.send(number, kind, buffer, got);
      else if (got == 0)
        shut(fd);
      else
        return;
    }
  }

  // Orphans, too: this is process 1.
  void reap() {
    int status = 0;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
      for (auto& [number, command] : commands_) {
        if (command.process != ended) continue;
        forward(number, command);
        for (int* fd : {&command.input, &command.output, &command.errors}) shut(*fd);
        port_.send(number, kEnd, reinterpret_cast<const char*>(&status), sizeof status);
        commands_.erase(number);
        break;
      }
    }
  }

  static void shut(int& fd) {
    if (fd >= 0) close(fd);
    fd = -1;
  }

  Port port_;
  std::map<uint32_t, Command> commands_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::puts("usage: live_agent PORT");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  // Without this, poll would not notice the end of a command that closed its output before.
  signal(SIGCHLD, [](int) {});
  Agent(arguments[1]).serve();
}
