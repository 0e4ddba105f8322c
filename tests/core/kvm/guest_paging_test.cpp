// Walks of a guest's own page tables in every paging mode, on tables written here.

#include "core/kvm/guest_paging.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/memory/buffer.hpp"

namespace kvmscope::kvm {
namespace {

using testing::HasSubstr;

constexpr ControlRegisters real_mode = {.cr0 = 0x60000010};
constexpr ControlRegisters two_levels = {.cr0 = 0x80000011, .cr3 = 0x1008};
constexpr ControlRegisters two_levels_pse = {.cr0 = 0x80000011, .cr3 = 0x1000, .cr4 = 0x10};
constexpr ControlRegisters pae_mode = {.cr0 = 0x80000011, .cr3 = 0x1020, .cr4 = 0x20};
constexpr ControlRegisters long_mode = {
    .cr0 = 0x80000011, .cr3 = 0x1fff, .cr4 = 0x20, .efer = 0xd00};
constexpr ControlRegisters long_mode_57 = {
    .cr0 = 0x80000011, .cr3 = 0x1000, .cr4 = 0x1020, .efer = 0xd00};
constexpr ControlRegisters long_mode_without_nx = {
    .cr0 = 0x80000011, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0x500};

struct Entry {
  std::uint64_t address;
  std::uint64_t value;
};

GuestWalk walk(const ControlRegisters& registers, std::uint64_t gva,
               const std::vector<Entry>& entries,
               const std::optional<ReservedBits>& reserved = std::nullopt) {
  const GuestPaging paging = guest_paging(registers, reserved);
  BufferReader<GuestPhysAddr> memory;
  for (const Entry& entry : entries) {
    if (paging.format.entry_bytes == 4)
      memory.set_u32({entry.address}, static_cast<std::uint32_t>(entry.value));
    else
      memory.set_u64({entry.address}, entry.value);
  }
  return walk_guest(memory, paging, gva);
}

// 0x605123: level 4 [0], 3 [0], 2 [3], 1 [5]
const std::vector<Entry> four_levels = {
    {0x1000, 0x2067}, {0x2000, 0x3067}, {0x3018, 0x4067}, {0x4028, 0x12345067}};

TEST(GuestPaging, IsNamedByTheControlRegisters) {
  EXPECT_EQ(paging_name(real_mode), "none");
  EXPECT_EQ(paging_name(two_levels), "32-bit");
  EXPECT_EQ(paging_name(two_levels_pse), "32-bit");
  EXPECT_EQ(paging_name(pae_mode), "pae");
  EXPECT_EQ(paging_name(long_mode), "4-level");
  EXPECT_EQ(paging_name(long_mode_57), "5-level");
}

TEST(GuestWalk, IsTheAddressItselfWithoutPaging) {
  const GuestWalk found = walk(real_mode, 0x2345, {});
  EXPECT_EQ(found.gpa, GuestPhysAddr{0x2345});
  EXPECT_TRUE(found.steps.empty());
  EXPECT_EQ(walk(real_mode, 1ULL << 32, {}).state, GuestState::noncanonical);
}

TEST(GuestWalk, HasTwoLevelsOfFourByteEntries) {
  // 0x803abc: level 2 [2], 1 [3]; bit 7 means nothing without CR4.PSE
  const GuestWalk found = walk(two_levels, 0x803abc, {{0x1008, 0x20e7}, {0x200c, 0x99067}});
  ASSERT_EQ(found.steps.size(), 2u);
  EXPECT_EQ(found.gpa, GuestPhysAddr{0x99abc});
  EXPECT_EQ(found.access, "rwxu");
}

TEST(GuestWalk, KnowsPagesOfFourMegabytes) {
  const GuestWalk found = walk(two_levels_pse, 0xc01234, {{0x100c, 0x80202083 | 1}});
  EXPECT_EQ(found.state, GuestState::reserved) << "bit 21";
  const GuestWalk above = walk(two_levels_pse, 0xc01234, {{0x100c, 0x80002083}});
  EXPECT_EQ(above.gpa, GuestPhysAddr{0x180001234}) << "bit 13 of the entry is address bit 32";
  EXPECT_EQ(above.page_bytes, 4u << 20);
}

TEST(GuestWalk, HasThreeLevelsInPaeMode) {
  // 0xc0605123: level 3 [3], 2 [3], 1 [5]
  const std::vector<Entry> tables = {
      {0x1038, 0x2001}, {0x2018, 0x3067}, {0x3028, 0x8000000000045065}};
  const GuestWalk found =
      walk({.cr0 = 0x80000011, .cr3 = 0x1020, .cr4 = 0x20, .efer = 0x800}, 0xc0605123, tables);
  EXPECT_EQ(found.gpa, GuestPhysAddr{0x45123});
  EXPECT_EQ(found.access, "r--u") << "the top entry has no rights of its own";
  EXPECT_EQ(walk(pae_mode, 0xc0605123, tables).fault,
            "level 1 entry 0x8000000000045065: reserved bit 63 set");
}

TEST(GuestWalk, TakesTheTopEntryFromRegistersInPaeMode) {
  GuestPaging paging = guest_paging(pae_mode, std::nullopt);
  paging.pdptrs = {{0, 0, 0, 0x5001}};
  BufferReader<GuestPhysAddr> memory;
  memory.set_u64({0x1038}, 0x2001);  // changed after CR3 was loaded
  memory.set_u64({0x5018}, 0x6000e7);
  const GuestWalk found = walk_guest(memory, paging, 0xc0605123);
  EXPECT_EQ(found.gpa, GuestPhysAddr{0x605123});
  EXPECT_EQ(found.steps[0].entry, 0x5001u);
  EXPECT_EQ(walk_guest(memory, paging, 0x605123).fault,
            "level 3 entry 0x0: its present bit (bit 0) is clear");
}

TEST(GuestWalk, ShowsEveryStepOfFourLevels) {
  const GuestWalk found = walk(long_mode, 0x605123, four_levels);
  ASSERT_EQ(found.steps.size(), 4u);
  EXPECT_EQ(found.gpa, GuestPhysAddr{0x12345123});
  EXPECT_EQ(found.page_bytes, 4096u);
}

TEST(GuestWalk, HasFiveLevelsWithLa57) {
  const GuestWalk found =
      walk(long_mode_57, 1ULL << 48,
           {{0x1008, 0x2067}, {0x2000, 0x3067}, {0x3000, 0x4067}, {0x4000, 0x2000e5}});
  EXPECT_EQ(found.steps.size(), 4u);
  EXPECT_EQ(found.gpa, GuestPhysAddr{0x200000});
  EXPECT_EQ(found.access, "r-xu");
}

TEST(GuestWalk, RefusesAddressesThatAreNotCanonical) {
  const GuestWalk found = walk(long_mode, 1ULL << 47, four_levels);
  EXPECT_EQ(found.state, GuestState::noncanonical);
  EXPECT_EQ(found.fault, "0x800000000000 is no canonical address of 4-level paging");
}

TEST(GuestWalk, SaysWhichLevelAndBitFaults) {
  const GuestWalk absent = walk(long_mode, 0x605123, {{0x1000, 0x2067}, {0x2000, 0x3066}});
  EXPECT_EQ(absent.state, GuestState::nonpresent);
  EXPECT_EQ(absent.fault, "level 3 entry 0x3066: its present bit (bit 0) is clear");
  const GuestWalk large = walk(long_mode, 0x605123, {{0x1000, 0x20e7}});
  EXPECT_EQ(large.state, GuestState::reserved);
  EXPECT_EQ(large.fault, "level 4 entry 0x20e7: reserved bit 7 set");
}

TEST(GuestWalk, ReservesNxWithoutEferNx) {
  std::vector<Entry> tables = four_levels;
  tables[3].value |= 1ULL << 63;
  EXPECT_EQ(walk(long_mode, 0x605123, tables).access, "rw-u");
  EXPECT_THAT(walk(long_mode_without_nx, 0x605123, tables).fault, HasSubstr("reserved bit 63 set"));
}

TEST(GuestWalk, UsesWhatKvmCallsReserved) {
  ReservedBits reserved{};
  reserved[0][1] = 1ULL << 45;  // beyond the guest's MAXPHYADDR, at level 2
  std::vector<Entry> tables = four_levels;
  tables[2].value |= 1ULL << 45;
  EXPECT_EQ(walk(long_mode, 0x605123, tables, reserved).fault,
            "level 2 entry 0x200000004067: reserved bit 45 set");
  EXPECT_EQ(walk(long_mode, 0x605123, four_levels, reserved).state, GuestState::mapped);
}

TEST(GuestWalk, SaysWhichEntryIsMissing) {
  const GuestWalk found = walk(long_mode, 0x605123, {{0x1000, 0x2067}});
  EXPECT_EQ(found.state, GuestState::lost);
  EXPECT_EQ(found.steps.size(), 1u);
  EXPECT_THAT(found.lost->what(), HasSubstr("reading the level 3 entry for 0x605123"));
}

}  // namespace
}  // namespace kvmscope::kvm
