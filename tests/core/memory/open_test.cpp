// What open_dump() says about files that are no dumps.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/base/error.hpp"
#include "core/memory/dump.hpp"
#include "tests/support/dump_files.hpp"

namespace kvmscope {
namespace {

using testing::Contains;
using testing::HasSubstr;

std::string refusal(const std::string& path) {
  try {
    open_dump(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr(path));
    return error.what();
  }
  return "no error";
}

std::string refusal_of(std::string_view content) {
  const TemporaryFile file(content);
  return refusal(file.path());
}

TEST(OpenDump, SaysThatThereIsNoSuchFile) {
  EXPECT_THAT(refusal("/no/such/vmcore"), HasSubstr("No such file or directory"));
}

TEST(OpenDump, SaysThatAFileIsEmpty) {
  EXPECT_THAT(refusal_of(""), HasSubstr("is empty"));
}

TEST(OpenDump, NamesTheCommandThatRearrangesAFlattenedDump) {
  EXPECT_THAT(refusal_of("makedumpfile\0\0\0\0"), HasSubstr("makedumpfile -R"));
}

TEST(OpenDump, SaysHowAFileIsCompressed) {
  EXPECT_THAT(refusal_of("\x1f\x8b\x08 and so on"), HasSubstr("compressed with gzip"));
  EXPECT_THAT(refusal_of("\x28\xb5\x2f\xfd and so on"), HasSubstr("compressed with zstd"));
}

TEST(OpenDump, ShowsTheFirstBytesOfAnUnknownFile) {
  EXPECT_THAT(refusal_of("root:x:0:0"), HasSubstr("it starts with 726f6f743a783a30"));
  EXPECT_THAT(refusal_of("x"), HasSubstr("it starts with 78"));
}

TEST(OpenDump, DoesNotWaitAtAPipe) {
  const std::string path = testing::TempDir() + "kvmscope-test-pipe-" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);

  EXPECT_THAT(refusal(path), HasSubstr("not a regular file"));
  std::filesystem::remove(path);
}

TEST(OpenDump, SaysThatAFolderIsAFolder) {
  EXPECT_THAT(refusal(testing::TempDir()), HasSubstr("is a folder"));
}

TEST(DumpCodecs, NamesWhatTheLoadedLibraryWasLinkedWith) {
  EXPECT_THAT(dump_codecs(), Contains("ELF"));
  EXPECT_THAT(dump_codecs(), Contains(HasSubstr("kdump zlib")));
}

}  // namespace
}  // namespace kvmscope
