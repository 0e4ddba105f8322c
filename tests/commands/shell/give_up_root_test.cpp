// What a process can still do once it has given up root, and what it opened before: in children.

#include "commands/shell/give_up_root.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/commands/shell/shell.hpp"
#include "tests/support/child.hpp"

namespace kvmscope {
namespace {

class GivenUp : public testing::Test {
 protected:
  GivenUp() {
    std::string name = (std::filesystem::temp_directory_path() / "kvmscope-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    unsetenv("SUDO_UID");
    unsetenv("SUDO_GID");
  }
  ~GivenUp() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, std::string_view text = "") const {
    if (!text.empty()) std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  static std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string folder_;  // mode 0700: nobody cannot look into it
};

// "status: output errors"
std::string answer(Shell& shell, std::string_view line) {
  const int status = shell.run(line);
  return fmt::format("{}: {}{}", status, shell.out.text(), shell.errors.text());
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// A command that reads one file and replaces another, as `snapshot` and `diff` do.
Command copying_command() {
  Command copy;
  copy.names = {"copy"};
  copy.summary = "copy a file";
  copy.needs = Needs::nothing;
  copy.arguments = {{"FROM", ArgumentKind::data_file, ""}, {"TO", ArgumentKind::data_file, ""}};
  copy.open_ahead = [](Session& session, const Arguments& args) {
    session.files_ahead().read_later(*args.text("FROM"));
    session.files_ahead().replace_later(*args.text("TO"));
  };
  copy.run = [](Session& session, const Arguments& args, RowSink&) {
    const FileDescriptor from = session.files_ahead().read(*args.text("FROM"));
    const auto to = session.files_ahead().replace(*args.text("TO"));
    std::array<char, 64> text{};
    const ssize_t count = read(from.get(), text.data(), text.size());
    EXPECT_EQ(write(to->fd(), text.data(), static_cast<std::size_t>(count)), count);
    to->commit();
  };
  return copy;
}

TEST_F(GivenUp, ProcessesStillWriteTheFilesThatTheirLinesNamed) {
  const std::string one = file("one");
  const std::string two = file("two", "old\n");
  const std::string said = in_child([&] {
    Shell shell;
    Program program;
    program.lines = {"pages 1 > " + one, "wrong 'quotes", "| no command"};
    program.scripts.push_back(open_script(shell.session, file("script", "pages 2 >> " + two)));
    give_up_root(shell.session, program);
    std::string text = answer(shell, program.lines[0]);
    text += fmt::format(" {}", run_script(shell.session, program.scripts[0]));
    return text;
  });
  EXPECT_EQ(said, "0:  0");
  EXPECT_EQ(text_of(one), "NAME  VALUE\nVM    1\n");
  EXPECT_EQ(text_of(two), "old\nNAME  VALUE\nVM    2\n");
}

TEST_F(GivenUp, ProcessesReplaceAndReadTheFilesThatTheirCommandNamed) {
  const std::string from = file("from", "text");
  const std::string to = file("to", "old");
  const std::string said = in_child([&] {
    Shell shell;
    shell.commands.push_back(copying_command());
    Program program;
    program.command = {"copy", from, to};
    give_up_root(shell.session, program);
    return fmt::format("{} {}", run_words(shell.session, program.command),
                       first_line(answer(shell, "copy " + from + " " + file("other"))));
  });
  EXPECT_TRUE(said.starts_with("0 2: kvmscope: cannot write " + file("other") + ": ")) << said;
  EXPECT_EQ(text_of(to), "text");
  EXPECT_FALSE(std::filesystem::exists(file("other")));
  EXPECT_FALSE(std::filesystem::exists(file(".kvmscope.lock")));
}

TEST_F(GivenUp, ProcessesOpenNoOtherFileForWriting) {
  const std::string said = in_child([&] {
    Shell shell;
    Program program{{}, {"pages"}, {}, false};
    give_up_root(shell.session, program);
    return answer(shell, "pages > /tmp/kvmscope-other") +
           (open("/dev/null", O_WRONLY) < 0 && open("/dev/null", O_RDONLY) >= 0 ? "read-only" : "");
  });
  EXPECT_TRUE(said.starts_with("2: kvmscope: cannot write to /tmp/kvmscope-other: ")) << said;
  EXPECT_TRUE(said.ends_with("read-only")) << said;
}

TEST_F(GivenUp, ProcessesSendResultsToProgramsThatInheritNothing) {
  const std::string target = file("target", "secret");
  const std::string said = in_child([&] {
    const FileDescriptor held = open_read_only(target);
    Shell shell;
    const std::string out = file("out");
    Program program;
    program.lines = {"pages > " + out};
    give_up_root(shell.session, program);
    std::signal(SIGPIPE, SIG_IGN);  // as main() does: ls reads none of its input
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], STDOUT_FILENO) < 0) return std::string();
    shell.run("pages 1 | ls -l /proc/self/fd; echo end");
    char text[4000] = {};
    const ssize_t count = read(ends[0], text, sizeof(text) - 1);
    return std::string(count > 0 ? text : "nothing");
  });
  EXPECT_NE(said.find("0 -> "), std::string::npos) << said;
  EXPECT_EQ(said.find(folder_), std::string::npos) << said;
}

TEST_F(GivenUp, ShellsSayHowToStartACommandThatNeedsRoot) {
  const std::string said = in_child([&] {
    Shell shell;
    Program program{{}, {"pages"}, {}, false};
    give_up_root(shell.session, program);
    return answer(shell, "trace load 1 --for 2") + answer(shell, "trace events");
  });
  EXPECT_NE(
      said.find("3: kvmscope: trace load needs root, which kvmscope gave up when it had opened the "
                "target: start it from your own shell, `sudo kvmscope trace load"),
      std::string::npos)
      << said;
}

TEST_F(GivenUp, RootIsNotWhereTheCommandLineNamesACommandThatNeedsIt) {
  Shell shell;
  const std::string script = file("script", "pages 1\ntrace load\n");
  struct Case {
    std::vector<std::string> command, lines, scripts;
    bool needed;
  };
  const Case cases[] = {{{"trace"}, {}, {}, true},
                        {{"pages", "trace"}, {}, {}, false},
                        {{}, {"pages", "trace | sort"}, {}, true},
                        {{}, {"pages # trace"}, {}, false},
                        {{}, {}, {script}, true},
                        {{}, {}, {}, false}};
  for (const Case& tried : cases) {
    Program program{tried.command, tried.lines, {}, false};
    for (const std::string& path : tried.scripts)
      program.scripts.push_back(open_script(shell.session, path));
    EXPECT_EQ(needs_root(shell.session, program), tried.needed);
    // A script that was looked at runs from its start.
    for (Script& one : program.scripts) {
      shell.out.clear_text();
      EXPECT_EQ(run_script(shell.session, one), 0);
      EXPECT_EQ(first_line(shell.out.text()), "NAME  VALUE");
    }
  }
}

TEST_F(GivenUp, TargetsThatCouldNotBeOpenedKeepTheirReason) {
  const std::string said = in_child([&] {
    int opened = 0;
    Shell shell({"dump", [&]() -> std::unique_ptr<Dump> {
                   throw_error(ErrorKind::unavailable, "refused, try {}", ++opened);
                 }});
    Program program{{}, {"needy"}, {}, false};
    give_up_root(shell.session, program);
    const std::string help = answer(shell, "pages 1");
    return first_line(help) + "; " + answer(shell, "needy") + answer(shell, "needy");
  });
  EXPECT_EQ(said, "0: NAME  VALUE; 3: kvmscope: refused, try 1\n3: kvmscope: refused, try 1\n");
}

TEST_F(GivenUp, LinesThatAreYetToComeMayWriteWhenTheyReadADump) {
  if (geteuid() != 0) GTEST_SKIP() << "there is no root to give up";
  const auto write = [&] {
    Shell shell;
    Program program;
    give_up_root(shell.session, program);
    const std::string said = answer(shell, "pages 1 > " + file("later"));
    return fmt::format("{} {}{}", geteuid(), said, shell.session.gave_up_root() ? " gave up" : "");
  };
  EXPECT_EQ(in_child(write), "0 0: ");
  setenv("SUDO_UID", "1234", 1);
  setenv("SUDO_GID", "5678", 1);
  std::filesystem::remove(file("later"));
  ASSERT_EQ(chown(folder_.c_str(), 1234, 5678), 0);
  EXPECT_EQ(in_child(write), "1234 0:  gave up");
  EXPECT_EQ(first_line(text_of(file("later"))), "NAME  VALUE");
  unsetenv("SUDO_UID");
  unsetenv("SUDO_GID");
}

TEST_F(GivenUp, TargetsAreNotOpenedForACommandThatNeedsNone) {
  const std::string said = in_child([&] {
    int opened = 0;
    Shell shell({"dump", [&]() -> std::unique_ptr<Dump> {
                   throw_error(ErrorKind::unavailable, "refused, try {}", ++opened);
                 }});
    Program program;
    program.command = {"pages"};
    give_up_root(shell.session, program);
    return fmt::format("{}", opened);
  });
  EXPECT_EQ(said, "0");
}

TEST_F(GivenUp, RootBecomesTheUserBehindSudo) {
  if (geteuid() != 0) GTEST_SKIP() << "there is no root to give up";
  const auto become = [] {
    Shell shell;
    Program program{{}, {"pages"}, {}, false};
    give_up_root(shell.session, program);
    const User user = shell.session.gave_up_root().value_or(User{});
    return fmt::format("{} {} {}", geteuid(), user.uid, user.gid);
  };
  EXPECT_EQ(in_child(become), "65534 65534 65534");
  setenv("SUDO_UID", "1234", 1);
  setenv("SUDO_GID", "5678", 1);
  EXPECT_EQ(in_child(become), "1234 1234 5678");
  unsetenv("SUDO_UID");
  unsetenv("SUDO_GID");
}

}  // namespace
}  // namespace kvmscope
