// Memory made in tests.

#include "core/memory/buffer.hpp"

#include <gtest/gtest.h>

namespace kvmscope {
namespace {

TEST(BufferReader, ReadsWhatWasAddedAcrossPages) {
  BufferReader<VirtAddr> memory;
  memory.set_u64({0xffff888000000ffc}, 0x1122334455667788);

  EXPECT_EQ(memory.u64({0xffff888000000ffc}), 0x1122334455667788u);
  EXPECT_EQ(memory.value<std::uint32_t>({0xffff888000001000}), 0x11223344u);
}

TEST(BufferReader, FaultsAtTheFirstByteThatWasNotAdded) {
  BufferReader<PhysAddr> memory;
  memory.set_u32({0x1000}, 7);

  try {
    memory.u64({0x1000});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::fault);
    EXPECT_STREQ(error.what(), "no such memory at 0x1004");
  }
}

TEST(BufferReader, FaultsWhereMemoryWasTakenAway) {
  BufferReader<PhysAddr> memory;
  memory.add_zeros({0x1000}, 0x3000);
  memory.remove({0x2000}, 0x1000);

  EXPECT_EQ(memory.u64({0x1ff8}), 0u);
  EXPECT_THROW(memory.u64({0x2ff8}), Error);
  EXPECT_EQ(memory.u64({0x3000}), 0u);
}

TEST(BufferReader, CountsReads) {
  BufferReader<PhysAddr> memory;
  memory.add({0x10}, "text");
  memory.value<std::uint32_t>({0x10});

  EXPECT_EQ(memory.counts().reads, 1u);
  EXPECT_EQ(memory.counts().bytes, 4u);
}

}  // namespace
}  // namespace kvmscope
