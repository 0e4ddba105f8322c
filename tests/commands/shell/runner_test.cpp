// Lines and scripts: output, error messages, exit statuses, redirections.

#include "commands/shell/runner.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/interrupt.hpp"
#include "tests/commands/shell/shell.hpp"

namespace kvmscope {
namespace {

// A folder for one test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "kvmscope-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name, const std::string& text = "") const {
    const std::string path = path_ + "/" + name;
    if (!text.empty()) std::ofstream(path) << text;
    return path;
  }

 private:
  std::string path_;
};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Line, RunsACommand) {
  Shell shell;
  EXPECT_EQ(shell.run("pages 3 --level 2"), 0);
  EXPECT_EQ(shell.out.text(), "NAME     VALUE\n--level  2\nVM       3\n");
  EXPECT_EQ(shell.errors.text(), "");
}

TEST(Line, BlankAndCommentedLinesDoNothing) {
  Shell shell;
  for (const char* line : {"", "   ", "# comment", "  # comment"}) EXPECT_EQ(shell.run(line), 0);
  EXPECT_EQ(shell.out.text() + shell.errors.text(), "");
}

TEST(Line, ShowsAnErrorWithACaretUnderTheInput) {
  Shell shell;
  EXPECT_EQ(shell.run("pages --levl 2 | less"), 2);
  EXPECT_EQ(shell.errors.text(),
            "kvmscope: pages: no option --levl; did you mean --level; see `help pages`\n"
            "  pages --levl 2 | less\n"
            "        ^\n");
  EXPECT_EQ(shell.out.text(), "");
}

TEST(Line, AnErrorInAnExpressionPointsIntoTheLine) {
  Shell shell;
  EXPECT_EQ(shell.run("wrong  1 + nope"), 2);
  EXPECT_EQ(shell.errors.text(), "kvmscope: no symbol\n  wrong  1 + nope\n             ^\n");
}

TEST(Line, KeepsControlCharactersOfItsTextOffTheTerminal) {
  Shell shell;
  EXPECT_EQ(shell.run("\x1b[2J"), 2);
  EXPECT_EQ(shell.errors.text().find('\x1b'), std::string::npos);
}

TEST(Line, ClosesTheStreamOfACommandThatFails) {
  const std::pair<const char*, int> cases[] = {
      {"fault", 4}, {"corrupt", 5}, {"unavailable", 3}, {"broken", 70}, {"interrupted", 130}};
  for (const auto& [name, status] : cases) {
    Shell shell;
    EXPECT_EQ(shell.run(fmt::format("{} -f json", name)), status);
    EXPECT_EQ(nlohmann::json::parse(shell.out.text()).size(), 1U);
    EXPECT_EQ(shell.errors.text(), "kvmscope: it failed\n");
    EXPECT_EQ(shell.run(fmt::format("{} -f report", name)), status);
    EXPECT_EQ(nlohmann::json::parse(shell.out.text())["notes"], nlohmann::json({"it failed"}));
  }
}

TEST(Line, ThatNeedsATargetSaysHowToGiveOne) {
  Shell shell;
  EXPECT_EQ(shell.run("needy -f json"), 3);
  EXPECT_EQ(shell.out.text(), "");
  EXPECT_EQ(shell.errors.text(), "kvmscope: no target is open: give a dump with -c FILE\n");
}

TEST(Line, OfWordsFromTheShellKeepsThemTogether) {
  Shell shell;
  EXPECT_EQ(run_words(shell.session, {"print", "a | b", "-f", "csv", "--no-header"}), 0);
  EXPECT_EQ(shell.out.text(), "EXPRESSION,a | b\n");
}

TEST(Redirection, WritesAndAppendsToFiles) {
  const Folder folder;
  const std::string path = folder.file("out");
  Shell shell;
  EXPECT_EQ(shell.run("pages 1 -f csv > " + path), 0);
  EXPECT_EQ(shell.run("pages 2 -f csv --no-header >> '" + path + "'"), 0);
  EXPECT_EQ(text_of(path), "name,value\nVM,1\nVM,2\n");
  EXPECT_EQ(shell.out.text(), "");
  EXPECT_EQ(shell.run("pages 3 -f csv > " + path), 0);
  EXPECT_EQ(text_of(path), "name,value\nVM,3\n");
  EXPECT_EQ(shell.console.out, &shell.out);
}

TEST(Redirection, OfAWrongCommandLeavesTheFileAlone) {
  const Folder folder;
  const std::string path = folder.file("out", "precious");
  Shell shell;
  EXPECT_EQ(shell.run("pges > " + path), 2);
  EXPECT_EQ(shell.run("needy > " + path), 3);
  EXPECT_EQ(text_of(path), "precious");
  EXPECT_EQ(shell.run("pages > /nonexistent/file"), 2);
  EXPECT_EQ(shell.errors.text(),
            "kvmscope: cannot write to /nonexistent/file: No such file or directory\n");
}

TEST(Redirection, GivesTheResultToAProgramAndWaitsForIt) {
  const Folder folder;
  const std::string path = folder.file("out");
  Shell shell;
  EXPECT_EQ(shell.run("pages 7 -f csv | tr a-z A-Z > " + path), 0);
  EXPECT_EQ(text_of(path), "NAME,VALUE\nVM,7\n");
}

TEST(Redirection, AProgramThatStopsReadingIsNoError) {
  std::signal(SIGPIPE, SIG_IGN);
  Shell shell;
  shell.commands[0].run = [](Session&, const Arguments&, RowSink& rows) {
    rows.set_status(4);
    for (int i = 0; i < 1'000'000; ++i) rows.add({{std::string(100, 'x'), std::string()}});
    FAIL() << "it should have been stopped";
  };
  EXPECT_EQ(shell.run("pages -f jsonl | true"), 0);
  EXPECT_EQ(shell.errors.text(), "");
}

TEST(Redirection, LeaksNoDescriptorsToPrograms) {
  const Folder folder;
  const std::string path = folder.file("out");
  Shell shell;
  EXPECT_EQ(shell.run("pages > /dev/null"), 0);
  EXPECT_EQ(shell.run("pages | ls /proc/self/fd | wc -l > " + path), 0);
  const std::string alone = folder.file("alone");
  ASSERT_EQ(std::system(("true | ls /proc/self/fd | wc -l > " + alone).c_str()), 0);
  EXPECT_EQ(text_of(path), text_of(alone));
}

TEST(Redirection, AFullDiskIsReported) {
  Shell shell;
  EXPECT_EQ(shell.run("pages 1 > /dev/full"), 70);
  EXPECT_EQ(shell.errors.text(), "kvmscope: cannot write the output: No space left on device\n");
}

int run_text(Shell& shell, const std::string& text) {
  std::istringstream lines(text);
  return run_lines(shell.session, lines, "script");
}

TEST(Script, StopsAtStatuses2And3And70And130AndGoesOnAfterOthers) {
  const std::pair<const char*, int> cases[] = {
      {"nope\npages 9", 2},           {"unavailable\npages 9", 3}, {"broken\npages 9", 70},
      {"interrupted\npages 9", 130},  {"fault\npages 9", 4},       {"corrupt\npages 9", 5},
      {"corrupt\nfault\npages 9", 5}, {"fault\nnope", 2}};
  for (const auto& [text, status] : cases) {
    Shell shell;
    EXPECT_EQ(run_text(shell, text), status) << text;
    const bool went_on = shell.out.text().find("VM") != std::string::npos;
    EXPECT_EQ(went_on, status == 4 || status == 5) << text;
  }
}

TEST(Script, ErrorsNameFileAndLine) {
  Shell shell;
  EXPECT_EQ(run_text(shell, "# a comment\npages 1\nnope\n"), 2);
  EXPECT_EQ(shell.errors.text(),
            "kvmscope: script:3: unknown command 'nope'; `help` lists the commands\n"
            "  nope\n  ^\n");
}

TEST(Script, EndsAtQuit) {
  Shell shell;
  EXPECT_EQ(run_text(shell, "quit\nnope\n"), 0);
}

TEST(Script, RunsOthersAndNoticesLoops) {
  const Folder folder;
  const std::string inner = folder.file("inner", "pages 1 -f csv --no-header\nfault\n");
  const std::string loop = folder.file("loop");
  std::ofstream(loop) << "source " << loop << "\n";
  Shell shell;
  EXPECT_EQ(shell.run("source " + inner + " -f json"), 4);
  EXPECT_EQ(shell.out.text().substr(0, 5), "VM,1\n");
  EXPECT_EQ(shell.run("source " + loop), 2);
  EXPECT_NE(shell.errors.text().find("is there a loop?"), std::string::npos);
  EXPECT_EQ(shell.run("source /nonexistent"), 2);
  EXPECT_EQ(shell.run("source /"), 2);
}

TEST(Script, OfLinesGivenOneByOneStopsTheSameWay) {
  Shell shell;
  EXPECT_EQ(run_lines(shell.session, {"fault", "pages 1"}, "-e"), 4);
  EXPECT_EQ(run_lines(shell.session, {"nope", "pages 1"}, "-e"), 2);
}

TEST(Timing, ReportsEachPhaseOnStandardError) {
  Shell shell;
  shell.session.settings().timing = true;
  EXPECT_EQ(shell.run("pages 1 -f csv"), 0);
  for (const char* phase : {"PHASE", "open", "symbols", "types", "walk", "print", "total"})
    EXPECT_NE(shell.errors.text().find(phase), std::string::npos) << phase;
  EXPECT_EQ(shell.out.text(), "name,value\nVM,1\n");
}

}  // namespace
}  // namespace kvmscope
