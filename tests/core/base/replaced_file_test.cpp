// A file that takes another's place in one step, whoever is killed meanwhile.

#include "core/base/replaced_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/read_only_filter.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/support/child.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class ReplacedFileTest : public testing::Test {
 protected:
  ReplacedFileTest() { std::ofstream(path_) << "old"; }

  static void write(const ReplacedFile& file, std::string_view text) {
    EXPECT_EQ(::write(file.fd(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  static std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // All names in the folder, hidden ones too.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_))
      found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }

  TemporaryTree tree_;
  std::string folder_ = tree_.path();
  std::string path_ = folder_ + "/file";
};

TEST_F(ReplacedFileTest, IsTheOldOneUntilItIsCommitted) {
  {
    ReplacedFile file(path_);
    write(file, "new");
    EXPECT_EQ(text_of(path_), "old");
    file.commit();
    EXPECT_EQ(text_of(path_), "new");
  }
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_THAT(names(), ElementsAre("file"));
}

TEST_F(ReplacedFileTest, LeavesNothingWhenItIsNotCommitted) {
  {
    const ReplacedFile file(path_);
    write(file, "half");
  }
  EXPECT_EQ(text_of(path_), "old");
  EXPECT_THAT(names(), ElementsAre("file"));
}

TEST_F(ReplacedFileTest, MayBeReadByOthersIfThatIsWanted) {
  ReplacedFile(path_, 0644).commit();
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0644u);
}

TEST_F(ReplacedFileTest, IsTheOnlyOneOfItsFolder) {
  std::optional<ReplacedFile> first(std::in_place, path_);
  EXPECT_ERROR(ReplacedFile(folder_ + "/other"), ErrorKind::unavailable, "another kvmscope");
  first.reset();
  ReplacedFile second(folder_ + "/other");
}

// What a process leaves that was killed together with its keeper.
TEST_F(ReplacedFileTest, IsNotStoppedByWhatDeadProcessesLeft) {
  std::ofstream(folder_ + "/.kvmscope.lock");
  std::ofstream(folder_ + "/.kvmscope.tmp") << "half";
  ReplacedFile file(path_);
  write(file, "new");
  file.commit();
  EXPECT_EQ(text_of(path_), "new");
  EXPECT_THAT(names(), ElementsAre("file"));
}

TEST_F(ReplacedFileTest, IsRemovedWhenItsWriterIsKilled) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    ReplacedFile file(path_);
    write(file, "half");
    close(ready[0]);
    EXPECT_EQ(::write(ready[1], "r", 1), 1);
    pause();
  }
  close(ready[1]);
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  for (int wait = 0; wait < 500 && names().size() > 1; ++wait)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_THAT(names(), ElementsAre("file"));
  EXPECT_EQ(text_of(path_), "old");
}

TEST_F(ReplacedFileTest, IsCommittedByOneWhoMayOnlyReadByNow) {
  EXPECT_EQ(in_child([&]() -> std::string {
              ReplacedFile file(path_);
              prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
              install_read_only_filter();
              write(file, "new");
              if (rename(path_.c_str(), (path_ + "2").c_str()) == 0) return "it may rename";
              file.commit();
              return text_of(path_);
            }),
            "new");
}

TEST_F(ReplacedFileTest, DoesNotFollowLinks) {
  fs::create_directory(folder_ + "/elsewhere");
  fs::create_directory_symlink(folder_ + "/elsewhere", folder_ + "/link");
  for (const char* name : {"/link/file", "/link//file"})
    EXPECT_ERROR(ReplacedFile(folder_ + name), ErrorKind::usage, "is a symbolic link");
  fs::create_symlink(path_, folder_ + "/to-file");
  EXPECT_ERROR(ReplacedFile(folder_ + "/to-file"), ErrorKind::usage, "is a symbolic link");
  EXPECT_TRUE(fs::is_empty(folder_ + "/elsewhere"));
  EXPECT_EQ(text_of(path_), "old");
}

TEST_F(ReplacedFileTest, IsAnOrdinaryFileInAFolder) {
  for (const std::string& path : {std::string("/dev/null"), folder_, folder_ + "/", folder_ + "/..",
                                  folder_ + "/missing/file"})
    EXPECT_ERROR(ReplacedFile(path), ErrorKind::usage, "cannot write " + path);
}

}  // namespace
}  // namespace kvmscope
