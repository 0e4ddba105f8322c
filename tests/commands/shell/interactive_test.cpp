// The shell on a terminal: a child process behind a pseudo-terminal.

#include "commands/shell/interactive.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "core/base/file.hpp"
#include "core/base/interrupt.hpp"
#include "tests/commands/shell/shell.hpp"

namespace kvmscope {
namespace {

constexpr int patience_ms = 20'000;

// Waits for Ctrl-C, as a long walk does.
void wait_for_interrupt(Session&, const Arguments&, RowSink& rows) {
  rows.add({{std::string("first"), std::string()}});
  for (;;) {
    usleep(1000);
    check_interrupt();
  }
}

void add_lines(Session&, const Arguments&, RowSink& rows) {
  for (int i = 0; i < 200; ++i) rows.add({{fmt::format("row {}", i), std::string("x")}});
}

[[noreturn]] void child() {
  std::signal(SIGPIPE, SIG_IGN);
  catch_interrupts();
  std::vector<Command> commands = test_commands();
  commands[0].run = wait_for_interrupt;  // pages
  commands[1].run = add_lines;           // path
  const FakeFinder finder;
  Output out(STDOUT_FILENO);
  Output errors(STDERR_FILENO, Output::OnFailure::ignore);
  Messages messages(errors, true, false);
  Console console{.out = &out, .messages = messages, .terminal = true};
  Session session({}, finder, commands, console);
  run_shell(session);
  _exit(session.quitting() ? 7 : 8);
}

class Terminal : public testing::Test {
 protected:
  Terminal() {
    std::string name = (std::filesystem::temp_directory_path() / "kvmscope-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    setenv("XDG_STATE_HOME", folder_.c_str(), 1);
    setenv("TERM", "dumb", 1);
    setenv("PAGER", "sed 's/^/paged: /' | head -3", 1);
    setenv("INPUTRC", "/dev/null", 1);
    struct winsize size = {24, 100, 0, 0};
    int fd = -1;
    child_ = forkpty(&fd, nullptr, nullptr, &size);
    if (child_ == 0) child();
    terminal_ = FileDescriptor(fd);
    EXPECT_TRUE(reads("kvmscope> "));
  }
  ~Terminal() override {
    terminal_ = FileDescriptor();
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }

  void type(std::string_view keys) {
    ASSERT_EQ(write(terminal_.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  // Reads until `text` comes, and drops all up to its end.
  bool reads(std::string_view text) {
    for (;;) {
      const std::size_t at = seen_.find(text);
      if (at != std::string::npos) {
        seen_.erase(0, at + text.size());
        return true;
      }
      struct pollfd ready = {terminal_.get(), POLLIN, 0};
      if (poll(&ready, 1, patience_ms) <= 0) return false;
      char bytes[4096];
      const ssize_t count = read(terminal_.get(), bytes, sizeof bytes);
      if (count <= 0) return false;
      seen_.append(bytes, static_cast<std::size_t>(count));
    }
  }
  int exit_status() {
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string folder_;
  std::string seen_;
  FileDescriptor terminal_;
  pid_t child_ = -1;
};

TEST_F(Terminal, RunsLinesAndEndsAtCtrlD) {
  type("read 5\r");
  EXPECT_TRUE(reads("NUMBER  5"));
  EXPECT_TRUE(reads("kvmscope> "));
  type("\x04");
  EXPECT_EQ(exit_status(), 8);
}

TEST_F(Terminal, EndsAtQuit) {
  type("quit\r");
  EXPECT_EQ(exit_status(), 7);
}

TEST_F(Terminal, CompletesWithTab) {
  type("rea\t5\r");
  EXPECT_TRUE(reads("NUMBER  5"));
  EXPECT_TRUE(reads("kvmscope> "));
  type("pa\t");
  EXPECT_TRUE(reads("pages"));
  EXPECT_TRUE(reads("path"));
}

TEST_F(Terminal, CtrlCAtThePromptClearsTheLine) {
  type("read nonsense");
  EXPECT_TRUE(reads("nonsense"));
  type("\x03");
  EXPECT_TRUE(reads("kvmscope> "));
  type("read 6\r");
  EXPECT_TRUE(reads("NUMBER  6"));
}

TEST_F(Terminal, CtrlCStopsACommandAndNotTheShell) {
  type("pages > /dev/null\r");
  EXPECT_TRUE(reads("null\r\n"));
  usleep(100'000);
  type("\x03");
  EXPECT_TRUE(reads("interrupted"));
  EXPECT_TRUE(reads("kvmscope> "));
  type("read 7\r");
  EXPECT_TRUE(reads("NUMBER  7"));
}

TEST_F(Terminal, LongOutputIsPagedAndAPagerThatEndsEarlyIsNoError) {
  type("path 1 2\r");
  EXPECT_TRUE(reads("paged: NAME"));
  EXPECT_TRUE(reads("paged: row 1"));
  EXPECT_TRUE(reads("kvmscope> "));
  type("path 1 2 | tail -1\r");
  EXPECT_TRUE(reads("\nrow 199"));
  EXPECT_TRUE(reads("kvmscope> "));
  type("read 8\r");
  EXPECT_TRUE(reads("\nNUMBER  8"));
}

TEST_F(Terminal, ErrorsHaveACaret) {
  type("read x\r");
  EXPECT_TRUE(reads("  read x\r\n       ^"));
}

TEST_F(Terminal, RemembersLinesInItsFile) {
  type("read 9\r");
  EXPECT_TRUE(reads("NUMBER  9"));
  EXPECT_TRUE(reads("kvmscope> "));
  type("\x10\r");  // Ctrl-P
  EXPECT_TRUE(reads("NUMBER  9"));
  type("quit\r");
  EXPECT_EQ(exit_status(), 7);
  History history;
  EXPECT_EQ(history.use_file(folder_ + "/kvmscope/history"), "");
  EXPECT_EQ(history.lines(), (std::vector<std::string>{"read 9", "quit"}));
}

}  // namespace
}  // namespace kvmscope
