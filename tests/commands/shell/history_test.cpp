// The history file.

#include "commands/shell/history.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kvmscope {
namespace {

class HistoryTest : public testing::Test {
 protected:
  HistoryTest() {
    std::string name = (std::filesystem::temp_directory_path() / "kvmscope-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~HistoryTest() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

using Lines = std::vector<std::string>;

TEST_F(HistoryTest, IsKeptBetweenSessionsForItsOwnerOnly) {
  const std::string path = folder_ + "/state/kvmscope/history";
  {
    History history;
    EXPECT_EQ(history.use_file(path), "");
    history.add("vms");
    history.add("roots 0");
  }
  History history;
  EXPECT_EQ(history.use_file(path), "");
  EXPECT_EQ(history.lines(), (Lines{"vms", "roots 0"}));
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(HistoryTest, LeavesOutBlankLinesAndRepetitions) {
  History history;
  EXPECT_TRUE(history.add("vms"));
  EXPECT_FALSE(history.add("vms"));
  EXPECT_FALSE(history.add("  "));
  EXPECT_TRUE(history.add("roots"));
  EXPECT_TRUE(history.add("vms"));
  EXPECT_EQ(history.lines().size(), 3U);
}

TEST_F(HistoryTest, ProtectsAFileThatOthersCouldRead) {
  const std::string path = folder_ + "/history";
  std::ofstream(path) << "old\n";
  chmod(path.c_str(), 0644);
  History history;
  EXPECT_EQ(history.use_file(path), "");
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(HistoryTest, IsShortenedWhenItGrowsTooLong) {
  const std::string path = folder_ + "/history";
  {
    std::ofstream file(path);
    for (std::size_t i = 0; i <= History::most_lines; ++i) file << "line " << i << "\n";
  }
  History history;
  EXPECT_EQ(history.use_file(path), "");
  EXPECT_EQ(history.lines().size(), History::most_lines / 2);
  EXPECT_EQ(history.lines().back(), "line 10000");
  History again;
  again.use_file(path);
  EXPECT_EQ(again.lines(), history.lines());
}

TEST_F(HistoryTest, ThatCannotBeWrittenSaysWhyAndGoesOn) {
  History history;
  EXPECT_NE(history.use_file("/proc/nonexistent/history"), "");
  EXPECT_TRUE(history.add("vms"));
  EXPECT_EQ(history.lines(), Lines{"vms"});
}

TEST_F(HistoryTest, GoesOnInTheFileThatIsOpenWhenThePathCannotBeOpenedAnyMore) {
  const std::string path = folder_ + "/history";
  History history;
  EXPECT_FALSE(history.has_file());
  EXPECT_EQ(history.use_file(path), "");
  EXPECT_TRUE(history.has_file());
  std::filesystem::rename(path, folder_ + "/moved");
  std::filesystem::create_directory(path);
  history.add("vms");
  std::ifstream lines(folder_ + "/moved");
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "vms");
}

TEST_F(HistoryTest, IsOursOnlyInAFolderOfOurOwn) {
  setenv("XDG_STATE_HOME", folder_.c_str(), 1);
  EXPECT_TRUE(history_is_ours());
  setenv("XDG_STATE_HOME", (folder_ + "/missing").c_str(), 1);
  EXPECT_FALSE(history_is_ours());
  if (geteuid() != 0) return;
  ASSERT_EQ(chown(folder_.c_str(), 1234, 1234), 0);
  setenv("XDG_STATE_HOME", folder_.c_str(), 1);
  EXPECT_FALSE(history_is_ours());
}

TEST_F(HistoryTest, LiesWhereTheXdgSpecificationWantsIt) {
  setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(history_path(), "/state/kvmscope/history");
  setenv("XDG_STATE_HOME", "relative", 1);
  setenv("HOME", "/home/a", 1);
  EXPECT_EQ(history_path(), "/home/a/.local/state/kvmscope/history");
  unsetenv("XDG_STATE_HOME");
  EXPECT_EQ(history_path(), "/home/a/.local/state/kvmscope/history");
}

}  // namespace
}  // namespace kvmscope
