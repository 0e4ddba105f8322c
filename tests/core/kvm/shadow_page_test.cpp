// The words of a role, in every shape that the role's bits have had.

#include "core/kvm/shadow_page.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_kernel_declarations.hpp"
#include "tests/support/fake_kernel_eras.hpp"

namespace kvmscope::kvm {
namespace {

Role decode(Era era, std::uint32_t word) {
  FakeTypes fake;
  declare_kernel(fake, era);
  Types types;
  types.add("kvm", [&] { return &fake; });
  return decode_role(RoleFields(types), word);
}

// level 4, direct, access wux, nxe and cr0_wp, ad_disabled, smm 1: KVM.md's bit numbers.
constexpr std::uint32_t direct_root =
    4 | 1U << 7 | 7U << 8 | 1U << 12 | 1U << 13 | 1U << 16 | 1U << 24;

TEST(Role, IsSpelledAsTheTracepointsDo) {
  EXPECT_EQ(decode(Era::v6_1, direct_root).text(), "8-byte q0 direct wux nxe !ad");
  EXPECT_EQ(decode(Era::v6_1, 1 | 1U << 4 | 2U << 5).text(), "4-byte q2 --- !nxe ad");
  EXPECT_EQ(decode(Era::v6_1, 1 | 2U << 8 | 1U << 11).text(), "8-byte q0 w-- invalid !nxe ad");
  EXPECT_EQ(decode(Era::v6_1, 1 | 1U << 8).access_text(), "--x");
  EXPECT_EQ(decode(Era::v6_1, 1 | 4U << 8).access_text(), "-u-");
}

TEST(Role, TurnsTheBitOfOlderKernelsAround) {
  for (const Era era : {Era::v4_19, Era::v5_4, Era::v5_15}) {
    EXPECT_FALSE(decode(era, 1 | 1U << 4).has_4_byte_gpte);
    EXPECT_TRUE(decode(era, 1).has_4_byte_gpte);
  }
  EXPECT_TRUE(decode(Era::v7_3, 1 | 1U << 4).has_4_byte_gpte);
}

TEST(Role, KnowsItsFlags) {
  const Role role = decode(Era::v6_1, direct_root | 1U << 17 | 1U << 18);
  EXPECT_EQ(role.word, direct_root | 1U << 17 | 1U << 18);
  EXPECT_EQ(role.level, 4u);
  EXPECT_TRUE(role.direct);
  EXPECT_TRUE(role.guest_mode);
  EXPECT_TRUE(role.passthrough);
  EXPECT_EQ(role.smm, 1u);
  EXPECT_FALSE(role.invalid);
  EXPECT_FALSE(decode(Era::v5_15, ~0U).passthrough);  // not known there
}

// 7.3: access is four bits wide, and what follows has moved.
TEST(Role, FollowsTheBitsWhereTheyMove) {
  const Role role = decode(Era::v7_3, 1 | 0xfU << 8 | 1U << 13);
  EXPECT_EQ(role.access, 15u);
  EXPECT_EQ(role.access_text(), "wux");
  EXPECT_FALSE(role.invalid);
  EXPECT_TRUE(role.efer_nx);
  EXPECT_TRUE(decode(Era::v7_3, 1U << 12).invalid);
}

TEST(UnsyncBitmap, HasOneBitPerEntry) {
  std::array<std::uint64_t, 8> bitmap{};
  bitmap[7] = 1ULL << 63;
  bitmap[0] = 2;
  EXPECT_TRUE(test_bit(bitmap, 511));
  EXPECT_TRUE(test_bit(bitmap, 1));
  EXPECT_FALSE(test_bit(bitmap, 0));
  EXPECT_FALSE(test_bit(bitmap, 510));
}

}  // namespace
}  // namespace kvmscope::kvm
