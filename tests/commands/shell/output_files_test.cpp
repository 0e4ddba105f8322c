// The files behind > and >>, opened when a line runs or ahead of it.

#include "commands/shell/output_files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

class OutputFilesTest : public testing::Test {
 protected:
  OutputFilesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "kvmscope-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    path_ = folder_ + "/file";
  }
  ~OutputFilesTest() override { std::filesystem::remove_all(folder_); }

  void write(std::string_view text, bool append) {
    const FileDescriptor file = files_.open(path_, append);
    EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string folder_;
  std::string path_;
  OpenLog log_;
  OutputFiles files_{&log_};
};

TEST_F(OutputFilesTest, AreEmptiedOrAddedTo) {
  for (const bool ahead : {false, true}) {
    if (ahead) files_.open_ahead(path_);
    write("a long first text", false);
    EXPECT_EQ(text(), "a long first text");
    write(" and more", true);
    EXPECT_EQ(text(), "a long first text and more");
    write("new", false);
    EXPECT_EQ(text(), "new");
  }
}

TEST_F(OutputFilesTest, KeepWhatIsInThemUntilALineWritesToThem) {
  std::ofstream(path_) << "old";
  files_.open_ahead(path_);
  EXPECT_EQ(text(), "old");
  write(" and new", true);
  EXPECT_EQ(text(), "old and new");
}

TEST_F(OutputFilesTest, OpenedAheadAreAllThereIsOnceTheListIsClosed) {
  files_.open_ahead(path_);
  files_.close_list();
  write("text", false);
  EXPECT_EQ(text(), "text");
  try {
    files_.open(folder_ + "/other", false);
    FAIL() << "it was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("-e 'COMMAND > " + folder_ + "/other'"),
              std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/other"));
}

TEST_F(OutputFilesTest, ThatCannotBeOpenedAheadSayWhyWhenTheyAreUsed) {
  files_.open_ahead(folder_ + "/missing/file");
  EXPECT_THROW(files_.open(folder_ + "/missing/file", false), Error);
}

TEST_F(OutputFilesTest, AreNotInheritedByProgramsAndAreWrittenDown) {
  files_.open_ahead(path_);
  const FileDescriptor ahead = files_.open(path_, true);
  const FileDescriptor direct = files_.open(folder_ + "/other", true);
  for (const FileDescriptor* file : {&ahead, &direct})
    EXPECT_NE(fcntl(file->get(), F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_EQ(log_.files().size(), 2u);
  EXPECT_EQ(log_.files()[0].what, OpenedFor::writing);
  EXPECT_EQ(log_.files()[1].what, OpenedFor::appending);
}

TEST_F(OutputFilesTest, NeedNotBeRegular) {
  files_.open_ahead("/dev/null");
  const FileDescriptor file = files_.open("/dev/null", false);
  EXPECT_EQ(::write(file.get(), "x", 1), 1);
}

}  // namespace
}  // namespace kvmscope
