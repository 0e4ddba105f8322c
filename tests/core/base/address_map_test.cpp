#include "core/base/address_map.hpp"

#include <gtest/gtest.h>

#include "core/base/huge_memory.hpp"

namespace kvmscope {
namespace {

TEST(AddressMap, FindsNothingWhileItIsEmpty) {
  EXPECT_EQ(AddressMap<int>().find(0), nullptr);
}

TEST(AddressMap, KeepsTheFirstValueOfAnAddressAndSaysThatItWasThere) {
  AddressMap<int> map;
  EXPECT_TRUE(map.insert(0x1000, 1).second);
  const auto [value, fresh] = map.insert(0x1000, 2);
  EXPECT_FALSE(fresh);
  EXPECT_EQ(*value, 1);
}

TEST(AddressMap, FindsEachOfManyAddressesAndNoOther) {
  HugeMemory memory;
  AddressMap<std::uint64_t> map(&memory);
  constexpr std::uint64_t count = 200'000;
  for (std::uint64_t i = 0; i < count; ++i) map.insert(184 * i, i);
  for (std::uint64_t i = 0; i < count; ++i) {
    ASSERT_NE(map.find(184 * i), nullptr) << i;
    EXPECT_EQ(*map.find(184 * i), i);
    EXPECT_EQ(map.find(184 * i + 8), nullptr);
  }
}

TEST(AddressMap, KeepsWhatItHasWhenRoomIsMadeForMore) {
  AddressMap<int> map;
  map.expect(0x1000);
  map.insert(0x1000, 1);
  map.reserve(5000);
  ASSERT_NE(map.find(0x1000), nullptr);
  EXPECT_EQ(*map.find(0x1000), 1);
  const int* value = map.insert(0x2000, 2).first;
  for (std::uint64_t i = 3; i < 5000; ++i) map.insert(0x1000 * i, 0);
  EXPECT_EQ(map.find(0x2000), value) << "room for 5000 was asked for: nothing moves";
}

}  // namespace
}  // namespace kvmscope
