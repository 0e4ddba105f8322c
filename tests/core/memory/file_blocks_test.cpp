// Pieces of a file, whatever blocks they lie in.

#include "core/memory/file_blocks.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/dump_files.hpp"

namespace kvmscope {
namespace {

class FileBlocksTest : public testing::Test {
 protected:
  static constexpr std::size_t size = 70 * page_size + 100;

  // Bytes that differ from those a page or a block further on.
  static FileBytes content() {
    FileBytes bytes(size);
    for (std::size_t i = 0; i < size; ++i)
      bytes[i] = static_cast<std::byte>(i * 7 + i / page_size * 13);
    return bytes;
  }

  // What was read is right, as far as it goes.
  ReadAt read(std::uint64_t offset, std::size_t count, std::uint64_t phase) {
    FileBytes into(count);
    const ReadAt done = blocks_.read(offset, phase, into);
    const FileBytes file = content();
    for (std::size_t i = 0; i < done.count; ++i)
      EXPECT_EQ(into[i], file[offset + i]) << offset << " + " << i << ", phase " << phase;
    return done;
  }

  TemporaryFile file_{Bytes(content())};
  FileDescriptor fd_{open(file_.path().c_str(), O_RDONLY | O_CLOEXEC)};
  FileBlocks blocks_{fd_.get()};
};

TEST_F(FileBlocksTest, ReadsAnyPieceWithAnyPhase) {
  for (const std::uint64_t phase : {0UL, 1UL, 0x4a0UL, page_size - 1})
    for (const std::uint64_t offset : {0UL, 5UL, 0x4a0UL - 4, page_size - 4, 2 * page_size,
                                       16 * page_size + 8, 32 * page_size + 8, 69 * page_size})
      for (const std::size_t count : {1UL, 8UL, 184UL, page_size / 2 - 1, page_size / 2, page_size})
        EXPECT_EQ(read(offset, count, phase).count, count) << offset << ' ' << count;
}

TEST_F(FileBlocksTest, EndsWhereTheFileDoes) {
  for (const std::uint64_t phase : {0UL, 0x4a0UL}) {
    EXPECT_EQ(read(size - 100, 184, phase).count, 100u);
    EXPECT_EQ(read(size - 8, 8, phase).count, 8u);
    EXPECT_EQ(read(size, 8, phase).count, 0u);
    EXPECT_EQ(read(size + 3 * page_size, 8, phase).count, 0u);
    EXPECT_EQ(read(~0ULL - 4, 8, phase).count, 0u);
  }
  EXPECT_EQ(read(size, 8, 0).error, 0);
}

TEST(FileBlocks, SaysWhyTheFileCannotBeRead) {
  FileBlocks blocks(-1);
  FileBytes into(8);
  EXPECT_EQ(blocks.read(0, 0, into).error, EBADF);
}

}  // namespace
}  // namespace kvmscope
