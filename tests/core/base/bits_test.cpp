// Masks, alignment, and numbers out of bytes.

#include "core/base/bits.hpp"

#include <gtest/gtest.h>

#include <array>

namespace kvmscope {
namespace {

TEST(Bits, OfAMaskAreCountedFromTheLowest) {
  EXPECT_EQ(low_bits(0), 0u);
  EXPECT_EQ(low_bits(12), 0xfffu);
  EXPECT_EQ(low_bits(64), ~0ULL);
  EXPECT_EQ(bit_range(12, 51), 0x000ffffffffff000u);
  EXPECT_EQ(bit_range(63, 63), 1ULL << 63);
  EXPECT_EQ(bit_range(0, 63), ~0ULL);
}

TEST(Alignment, GoesDownAndUpToAPowerOfTwo) {
  EXPECT_EQ(align_down(0x1fff, 0x1000), 0x1000u);
  EXPECT_EQ(align_up(0x1001, 0x1000), 0x2000u);
  EXPECT_EQ(align_up(0x1000, 0x1000), 0x1000u);
  EXPECT_TRUE(is_aligned(0x1000, 8));
  EXPECT_FALSE(is_aligned(0x1004, 8));
}

TEST(Load, TakesLittleEndianBytesAtAnOffset) {
  const std::array<std::byte, 9> bytes = {std::byte{0}, std::byte{1}, std::byte{2}, std::byte{3},
                                          std::byte{4}};
  EXPECT_EQ(load<std::uint32_t>(bytes, 1), 0x04030201u);
  EXPECT_EQ(load<std::uint8_t>(bytes), 0u);
}

TEST(Load, TakesUpToEightBytes) {
  const std::array<std::byte, 9> bytes = {std::byte{1}, std::byte{2},    std::byte{3},
                                          std::byte{0}, std::byte{0},    std::byte{0},
                                          std::byte{0}, std::byte{0x80}, std::byte{0xff}};
  EXPECT_EQ(load_unsigned(Bytes(bytes).first(0)), 0u);
  EXPECT_EQ(load_unsigned(Bytes(bytes).first(1)), 0x01u);
  EXPECT_EQ(load_unsigned(Bytes(bytes).first(2)), 0x0201u);
  EXPECT_EQ(load_unsigned(Bytes(bytes).first(3)), 0x030201u);
  EXPECT_EQ(load_unsigned(Bytes(bytes).last(4)), 0xff800000u);
  EXPECT_EQ(load_unsigned(bytes), 0x8000000000030201u);
}

TEST(SignExtend, RepeatsTheTopBit) {
  EXPECT_EQ(sign_extend(0x7f, 8), 127);
  EXPECT_EQ(sign_extend(0x80, 8), -128);
  EXPECT_EQ(sign_extend(0xff80, 8), -128);
  EXPECT_EQ(sign_extend(1, 1), -1);
  EXPECT_EQ(sign_extend(~0ULL, 64), -1);
}

}  // namespace
}  // namespace kvmscope
