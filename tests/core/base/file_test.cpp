// Files: descriptors and mappings with an owner.

#include "core/base/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/core/base/expect_error.hpp"

namespace kvmscope {
namespace {

class Files : public testing::Test {
 protected:
  Files() {
    std::string name = testing::TempDir() + "kvmscope-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~Files() override { std::filesystem::remove_all(folder_); }

  std::string file(std::string_view text) const {
    std::ofstream(folder_ + "/file") << text;
    return folder_ + "/file";
  }

  std::string folder_;
};

bool is_open(int fd) {
  return fcntl(fd, F_GETFD) != -1;
}

TEST_F(Files, AreClosedByTheirOwner) {
  int fd = -1;
  {
    const FileDescriptor owner = open_read_only(file("text"));
    fd = owner.get();
    EXPECT_TRUE(is_open(fd));
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
  }
  EXPECT_FALSE(is_open(fd));
}

TEST_F(Files, AreWrittenDownOnceForEachWayOfOpening) {
  const std::string path = file("text");
  OpenLog log;
  open_read_only(path, &log);
  const MappedFile again(path, &log);
  log.add(path, OpenedFor::appending);
  EXPECT_ERROR(open_read_only(path + "2", &log), ErrorKind::unavailable, "cannot open");
  EXPECT_EQ(log.files(), (std::vector<OpenedFile>{{path, OpenedFor::reading, geteuid()},
                                                  {path, OpenedFor::appending, geteuid()}}));
}

TEST_F(Files, MoveWithTheirOwner) {
  FileDescriptor first = open_read_only(file("text"));
  const int fd = first.get();
  FileDescriptor second = std::move(first);
  EXPECT_EQ(second.get(), fd);
  EXPECT_EQ(second.release(), fd);
  EXPECT_TRUE(is_open(fd));
  close(fd);
}

TEST_F(Files, AreClosedWhenAnotherTakesTheirPlace) {
  FileDescriptor owner = open_read_only(file("text"));
  const int replaced = owner.get();
  owner = open_read_only(file("text"));
  EXPECT_FALSE(is_open(replaced));
  EXPECT_TRUE(is_open(owner.get()));
}

TEST_F(Files, SayWhyTheyDoNotOpen) {
  EXPECT_ERROR(open_read_only(folder_ + "/none"), ErrorKind::unavailable, "No such file");
  EXPECT_ERROR(MappedFile(folder_ + "/none"), ErrorKind::unavailable, "/none");
}

TEST_F(Files, AreMappedWhole) {
  const MappedFile mapped(file("some text"));
  const auto* text = reinterpret_cast<const char*>(mapped.bytes().data());
  EXPECT_EQ(std::string_view(text, mapped.bytes().size()), "some text");
  EXPECT_EQ(mapped.path(), folder_ + "/file");
}

TEST_F(Files, MayBeEmpty) {
  EXPECT_TRUE(MappedFile(file("")).bytes().empty());
}

TEST_F(Files, CannotBeFoldersWhenMapped) {
  EXPECT_ERROR(MappedFile(folder_).bytes(), ErrorKind::unavailable, "");
}

TEST_F(Files, AreReadLineByLineAndAgain) {
  const std::string path = file("one\n\nthree");
  const FileDescriptor fd = open_read_only(path);
  for (int pass = 0; pass < 2; ++pass) {
    FileLines lines(fd.get(), path);
    EXPECT_EQ(lines.next(), "one");
    EXPECT_EQ(lines.next(), "");
    EXPECT_EQ(lines.next(), "three") << "without a line end";
    EXPECT_EQ(lines.next(), std::nullopt);
    EXPECT_EQ(lines.next(), std::nullopt);
  }
}

TEST_F(Files, HaveLinesLongerThanAnyBuffer) {
  const std::string wide(300'000, 'x');
  const std::string path = file("first\n" + wide + "\nlast\n");
  const FileDescriptor fd = open_read_only(path);
  FileLines lines(fd.get(), path);
  EXPECT_EQ(lines.next(), "first");
  EXPECT_EQ(lines.next(), wide);
  EXPECT_EQ(lines.next(), "last");
  EXPECT_EQ(lines.next(), std::nullopt);
}

TEST_F(Files, ThatCannotBeRewoundSaySo) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const FileDescriptor out(ends[0]), in(ends[1]);
  EXPECT_ERROR(FileLines(out.get(), "a pipe"), ErrorKind::unavailable, "a pipe");
}

TEST_F(Files, AreReadAsTextUpToALimit) {
  const std::string path = file("0123456789");
  EXPECT_EQ(read_text(path), "0123456789");
  EXPECT_EQ(read_text(path, nullptr, 4), "0123");
  EXPECT_ERROR(read_text("/no/such/file"), ErrorKind::unavailable, "No such file");
}

}  // namespace
}  // namespace kvmscope
