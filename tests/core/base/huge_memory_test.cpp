#include "core/base/huge_memory.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <new>

namespace kvmscope {
namespace {

constexpr std::size_t huge_page = 2 << 20;

TEST(HugeMemory, AlignsLargePiecesSoThatHugePagesFit) {
  HugeMemory memory;
  for (const std::size_t size : {huge_page, huge_page + 1, 3 * huge_page}) {
    void* piece = memory.allocate(size, 8);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece) % huge_page, 0u) << size;
    std::memset(piece, 1, size);
    memory.deallocate(piece, size, 8);
  }
}

TEST(HugeMemory, AlignsSmallPiecesAsAsked) {
  HugeMemory memory;
  void* piece = memory.allocate(100, 64);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece) % 64, 0u);
  memory.deallocate(piece, 100, 64);
}

}  // namespace
}  // namespace kvmscope
