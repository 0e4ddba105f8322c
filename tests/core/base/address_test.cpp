// Address and frame-number types.

#include "core/base/address.hpp"

#include <gtest/gtest.h>

#include <concepts>
#include <unordered_set>

namespace kvmscope {
namespace {

template <typename A, typename B>
concept Subtractable = requires(A a, B b) {
  a - b;
};
template <typename A, typename B>
concept Comparable = requires(A a, B b) {
  a < b;
};

TEST(Address, OfOneDomainDoesNotMixWithAnother) {
  static_assert(Subtractable<PhysAddr, PhysAddr>);
  static_assert(!Subtractable<PhysAddr, VirtAddr>);
  static_assert(!Comparable<GuestPhysAddr, PhysAddr>);
  static_assert(!std::convertible_to<Gfn, Pfn>);
  static_assert(!std::convertible_to<PhysAddr, std::uint64_t>);
}

TEST(Address, KeepsItsDomainWhenAnOffsetIsAdded) {
  static_assert(std::same_as<decltype(PhysAddr{} + 1), PhysAddr>);
  EXPECT_EQ(PhysAddr{0x1000} + 0x234, PhysAddr{0x1234});
  EXPECT_EQ(VirtAddr{0x1000} - 8, VirtAddr{0xff8});
  VirtAddr at{0xffffffffffffffff};
  EXPECT_EQ(at += 2, VirtAddr{1});
}

TEST(Address, DifferenceIsAPlainNumber) {
  static_assert(std::same_as<decltype(Gfn{} - Gfn{}), std::uint64_t>);
  EXPECT_EQ(Gfn{0x120} - Gfn{0x100}, 0x20u);
}

TEST(Address, IsOrderedAndHashed) {
  EXPECT_LT(PhysAddr{1}, PhysAddr{2});
  const std::unordered_set<VirtAddr> known = {{1}, {2}, {1}};
  EXPECT_EQ(known.size(), 2u);
}

TEST(Address, BecomesAFrameAndBack) {
  EXPECT_EQ(to_pfn(PhysAddr{0x12345fff}), Pfn{0x12345});
  EXPECT_EQ(to_phys(Pfn{0x12345}), PhysAddr{0x12345000});
  EXPECT_EQ(to_gfn(GuestPhysAddr{0x1fff}), Gfn{1});
  EXPECT_EQ(to_gpa(Gfn{1}), GuestPhysAddr{0x1000});
}

}  // namespace
}  // namespace kvmscope
