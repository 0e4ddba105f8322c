// Walks through page tables of every format. Tables are lists of entries, with the walk of the
// address in a comment.

#include "core/paging/walk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/memory/buffer.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;

struct Entry {
  std::uint64_t address;
  std::uint64_t value;
};

template <typename Output>
BufferReader<Output> tables_of(const std::vector<Entry>& entries, unsigned entry_bytes = 8) {
  BufferReader<Output> memory;
  for (const Entry& entry : entries) {
    if (entry_bytes == 4)
      memory.set_u32({entry.address}, static_cast<std::uint32_t>(entry.value));
    else
      memory.set_u64({entry.address}, entry.value);
  }
  return memory;
}

std::vector<WalkStep<PhysAddr>> steps_of(const std::vector<Entry>& entries,
                                         const PageFormat& format, std::uint64_t address,
                                         std::uint64_t ignored_bits = 0) {
  const BufferReader<PhysAddr> memory = tables_of<PhysAddr>(entries, format.entry_bytes);
  std::vector<WalkStep<PhysAddr>> steps;
  walk_pages(PageTables<PhysAddr>{memory, format, {0x1000}, ignored_bits}, address,
             [&](const WalkStep<PhysAddr>& step) { steps.push_back(step); });
  return steps;
}

WalkStep<PhysAddr> last_step(const std::vector<Entry>& entries, const PageFormat& format,
                             std::uint64_t address, std::uint64_t ignored_bits = 0) {
  return steps_of(entries, format, address, ignored_bits).back();
}

// 0xffff888000605123: level 4 [0x111], 3 [0], 2 [3], 1 [5], byte 0x123
const std::vector<Entry> four_levels = {
    {0x1888, 0x2067},
    {0x2000, 0x3067},
    {0x3018, 0x4067},
    {0x4028, 0x8000000012345163},
};

TEST(WalkPages, ReturnsEveryStepOfFourLevels) {
  const auto steps = steps_of(four_levels, x86_64_level4, 0xffff888000605123);

  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[0].level, 4u);
  EXPECT_EQ(steps[0].index, 0x111u);
  EXPECT_EQ(steps[0].entry_address, PhysAddr{0x1888});
  EXPECT_EQ(steps[0].entry, 0x2067u);
  EXPECT_EQ(steps[0].kind, StepKind::table);
  EXPECT_EQ(steps[0].target, PhysAddr{0x2000});
  EXPECT_EQ(steps[2].index, 3u);
  EXPECT_EQ(steps[3].kind, StepKind::leaf);
  EXPECT_EQ(steps[3].target, PhysAddr{0x12345123});
  EXPECT_EQ(steps[3].page_bytes, 0x1000u);
}

TEST(WalkPages, StopsAtAnEntryThatIsNotPresent) {
  // A swap entry: bits are set, present is not.
  const auto last =
      last_step({{0x1888, 0x2067}, {0x2000, 0xabc000}}, x86_64_level4, 0xffff888000605123);

  EXPECT_EQ(last.kind, StepKind::nonpresent);
  EXPECT_EQ(last.level, 3u);
  EXPECT_EQ(last.entry, 0xabc000u);
  EXPECT_EQ(last.target, PhysAddr{0});
}

TEST(WalkPages, MapsLargePagesOfTwoMebibytesAndOneGibibyte) {
  // Bit 12 of a large page's entry is its PAT bit, not part of the address.
  const auto two = last_step({{0x1888, 0x2067}, {0x2000, 0x3067}, {0x3018, 0x406010e7}},
                             x86_64_level4, 0xffff888000605123);
  EXPECT_EQ(two.kind, StepKind::leaf);
  EXPECT_EQ(two.page_bytes, 0x200000u);
  EXPECT_EQ(two.target, PhysAddr{0x40605123});

  const auto one =
      last_step({{0x1888, 0x2067}, {0x2000, 0x1400000e7}}, x86_64_level4, 0xffff888000605123);
  EXPECT_EQ(one.page_bytes, 0x40000000u);
  EXPECT_EQ(one.target, PhysAddr{0x140605123});
}

TEST(WalkPages, CallsAddressBitsInsideALargePageReserved) {
  // Bit 13 of a 2 MiB page's entry.
  const auto last = last_step({{0x1888, 0x2067}, {0x2000, 0x3067}, {0x3018, 0x406020e7}},
                              x86_64_level4, 0xffff888000605123);

  EXPECT_EQ(last.kind, StepKind::reserved);
  EXPECT_EQ(last.page_bytes, 0u);
}

TEST(WalkPages, CallsALargePageBitAtLevelFourReserved) {
  EXPECT_EQ(last_step({{0x1888, 0x20e7}}, x86_64_level4, 0xffff888000605123).kind,
            StepKind::reserved);
}

TEST(WalkPages, WalksFiveLevels) {
  // 0xff11000000605123: level 5 [0x111], then as above but level 4 [0]
  const auto steps = steps_of({{0x1888, 0x5067},
                               {0x5000, 0x2067},
                               {0x2000, 0x3067},
                               {0x3018, 0x4067},
                               {0x4028, 0x12345063}},
                              x86_64_level5, 0xff11000000605123);

  ASSERT_EQ(steps.size(), 5u);
  EXPECT_EQ(steps[0].level, 5u);
  EXPECT_EQ(steps[4].target, PhysAddr{0x12345123});
}

TEST(WalkPages, StripsTheEncryptionBitFromAddresses) {
  constexpr std::uint64_t c_bit = 1ULL << 47;
  std::vector<Entry> encrypted = four_levels;
  for (Entry& entry : encrypted) entry.value |= c_bit;
  const auto last = last_step(encrypted, x86_64_level4, 0xffff888000605123, c_bit);

  EXPECT_EQ(last.target, PhysAddr{0x12345123});
  EXPECT_EQ(last.entry, 0x8000000012345163 | c_bit);
}

TEST(WalkPages, WalksPae) {
  // 0xc0605123: level 3 [3], 2 [3], 1 [5]; the four top entries may lie anywhere, 32-byte aligned
  const std::vector<Entry> entries = {{0x1018, 0x3001}, {0x3018, 0x4067}, {0x4028, 0x912345067}};
  const auto steps = steps_of(entries, pae, 0xc0605123);

  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].index, 3u);
  EXPECT_EQ(steps[2].target, PhysAddr{0x912345123});
  // A top entry has neither write nor user bits.
  EXPECT_EQ(last_step({{0x1018, 0x3007}}, pae, 0xc0605123).kind, StepKind::reserved);
}

TEST(WalkPages, Walks32BitTables) {
  // 0x00c05123: level 2 [3], level 1 [5]
  const std::vector<Entry> entries = {{0x100c, 0x4067}, {0x4014, 0xfedcb067}};
  const auto steps = steps_of(entries, legacy_32bit, 0xc05123);

  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].entry_address, PhysAddr{0x100c});
  EXPECT_EQ(steps[1].target, PhysAddr{0xfedcb123});
}

TEST(WalkPages, LooksAtTheLargePageBitOf32BitTablesOnlyWithPse) {
  // Directory entry with bit 7: a 4 MiB page at 0x0c000000, or a table at 0x0c000000
  const std::vector<Entry> entries = {{0x100c, 0x0c0000e7}, {0x0c000014, 0x7067}};

  const auto pse = last_step(entries, legacy_32bit_pse, 0xc05123);
  EXPECT_EQ(pse.level, 2u);
  EXPECT_EQ(pse.page_bytes, 0x400000u);
  EXPECT_EQ(pse.target, PhysAddr{0x0c005123});
  EXPECT_EQ(last_step(entries, legacy_32bit, 0xc05123).target, PhysAddr{0x7123});
}

TEST(WalkPages, TakesTheHighBitsOfAFourMebibytePageFromPse36) {
  // Bits 20:13 = 0x5a are address bits 39:32.
  const auto last = last_step({{0x100c, 0x0c0000e7 | 0x5a << 13}}, legacy_32bit_pse, 0xc05123);

  EXPECT_EQ(last.target, PhysAddr{0x5a0c005123});
}

TEST(WalkPages, LeavesTheAddressOfASmall32BitPageAlone) {
  // The PSE-36 bits of a level-1 entry are part of its address.
  const auto last = last_step({{0x100c, 0x4067}, {0x4014, 0xfedff067}}, legacy_32bit_pse, 0xc05123);

  EXPECT_EQ(last.target, PhysAddr{0xfedff123});
}

TEST(WalkPages, WalksEpt) {
  // gpa 0x605123: 4 [0], 3 [0], 2 [3], 1 [5]; RWX tables, a write-back leaf
  const std::vector<Entry> entries = {
      {0x1000, 0x2007}, {0x2000, 0x3007}, {0x3018, 0x4007}, {0x4028, 0x12345c77}};

  EXPECT_EQ(last_step(entries, ept_level4, 0x605123).target, PhysAddr{0x12345123});
  // Execute-only is present; bit 0 is not what counts.
  EXPECT_EQ(last_step({{0x1000, 0x2004}, {0x2000, 0}}, ept_level4, 0x605123).level, 3u);
}

TEST(WalkPages, CallsEptMisconfigurationsReserved) {
  // Writable but not readable; and memory type 2, which does not exist.
  EXPECT_EQ(last_step({{0x1000, 0x2002}}, ept_level4, 0).kind, StepKind::reserved);
  EXPECT_EQ(last_step({{0x1000, 0x2007}, {0x2000, 0x3007}, {0x3000, 0x4007}, {0x4000, 0x12345017}},
                      ept_level4, 0)
                .kind,
            StepKind::reserved);
}

TEST(WalkPages, SaysWhichEntryCouldNotBeReadAfterTheStepsBeforeIt) {
  const auto memory = tables_of<PhysAddr>({{0x1888, 0x2067}});  // and no table at 0x2000
  unsigned seen = 0;
  try {
    walk_pages(PageTables<PhysAddr>{memory, x86_64_level4, {0x1000}}, 0xffff888000605123,
               [&](const WalkStep<PhysAddr>&) { ++seen; });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::fault);
    EXPECT_THAT(error.what(), HasSubstr("no such memory at 0x2000"));
    EXPECT_THAT(error.what(), HasSubstr("reading the level 3 entry for 0xffff888000605123"));
  }
  EXPECT_EQ(seen, 1u);
}

TEST(WalkPages, EndsWhenTablesPointAtThemselves) {
  // One table as every level, as Windows and self-mapping kernels have it.
  const auto steps = steps_of({{0x1000, 0x1067}}, x86_64_level4, 0);

  EXPECT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps.back().kind, StepKind::leaf);
}

TEST(IsCanonical, RepeatsTheTopBitOnX86_64AndAllowsNothingAboveElsewhere) {
  EXPECT_TRUE(is_canonical(x86_64_level4, 0xffff800000000000));
  EXPECT_TRUE(is_canonical(x86_64_level4, 0x00007fffffffffff));
  EXPECT_FALSE(is_canonical(x86_64_level4, 0x0000800000000000));
  EXPECT_TRUE(is_canonical(x86_64_level5, 0xff00000000000000));
  EXPECT_FALSE(is_canonical(x86_64_level5, 0x0100000000000000));
  EXPECT_FALSE(is_canonical(pae, 0x100000000));
  EXPECT_TRUE(is_canonical(ept_level4, 0x0000800000000000));
  EXPECT_FALSE(is_canonical(ept_level4, 0xffff800000000000));
}

}  // namespace
}  // namespace kvmscope
