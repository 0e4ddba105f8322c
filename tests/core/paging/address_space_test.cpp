// Virtual memory over physical memory: pages, large pages, the direct map, and what is not mapped.

#include "core/paging/address_space.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/memory/buffer.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// 0xffff888000605000: level 4 [0x111] at 0x1888, 3 [0] at 0x2000, 2 [3] at 0x3018,
//                     1 [5] at 0x4028 -> 0x12345000
// 0xffff888000606000: 1 [6] at 0x4030 -> 0x10000
// 0xffff888000800000: 2 [4] at 0x3020 -> 0x40600000, 2 MiB
BufferReader<PhysAddr> small_machine() {
  BufferReader<PhysAddr> memory;
  for (const std::uint64_t table : {0x1000, 0x2000, 0x3000, 0x4000})
    memory.add_zeros({table}, page_size);
  memory.set_u64({0x1888}, 0x2067);
  memory.set_u64({0x2000}, 0x3067);
  memory.set_u64({0x3018}, 0x4067);
  memory.set_u64({0x3020}, 0x406000e7);
  memory.set_u64({0x4028}, 0x12345063);
  memory.set_u64({0x4030}, 0x10063);
  memory.add_zeros({0x12345000}, page_size);
  memory.add_zeros({0x10000}, page_size);
  memory.set_u32({0x12345ffc}, 0x11111111);
  memory.set_u32({0x10000}, 0x22222222);
  memory.set_u64({0x40654320}, 0x3333333333333333);
  return memory;
}

constexpr PhysAddr root{0x1000};

std::string fault(const AddressSpace& space, std::uint64_t address) {
  try {
    space.u64({address});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::fault);
    return error.what();
  }
  return "no error";
}

TEST(AddressSpace, ReadsAcrossPagesThatAreApartInPhysicalMemory) {
  const auto memory = small_machine();
  const AddressSpace space(memory, root, 4);

  EXPECT_EQ(space.u64({0xffff888000605ffc}), 0x2222222211111111u);
}

TEST(AddressSpace, ReadsInsideLargePages) {
  const auto memory = small_machine();
  const AddressSpace space(memory, root, 4);

  EXPECT_EQ(space.u64({0xffff888000854320}), 0x3333333333333333u);
  EXPECT_EQ(space.translate({0xffff8880009fffff}), PhysAddr{0x407fffff});
}

TEST(AddressSpace, RemembersTranslations) {
  const auto memory = small_machine();
  const AddressSpace space(memory, root, 4);
  space.u64({0xffff888000605ff0});
  const std::uint64_t before = memory.counts().reads;
  space.u64({0xffff888000605000});

  EXPECT_EQ(memory.counts().reads - before, 1u);  // the bytes, no table
}

TEST(AddressSpace, SaysAtWhichEntryAnAddressIsNotMapped) {
  const auto memory = small_machine();
  const AddressSpace space(memory, root, 4);

  EXPECT_THAT(fault(space, 0xffff888000607000),
              StartsWith("address 0xffff888000607000 is not mapped (level 1 entry 0x0)"));
  EXPECT_THAT(fault(space, 0xffffc90000000000), HasSubstr("is not mapped (level 4 entry 0x0)"));
  // Nothing is read when the second of two pages is missing; the error names its address.
  EXPECT_THAT(fault(space, 0xffff888000606ffc),
              StartsWith("address 0xffff888000607000 is not mapped"));
  EXPECT_EQ(space.find({0xffff888000607000}), std::nullopt);
}

TEST(AddressSpace, SaysThatAnAddressIsNotCanonical) {
  const auto memory = small_machine();
  const AddressSpace space(memory, root, 4);

  EXPECT_THAT(fault(space, 0x6b6b6b6b6b6b6b6b),
              StartsWith("0x6b6b6b6b6b6b6b6b is not a canonical address"));
  EXPECT_EQ(space.find({0x6b6b6b6b6b6b6b6b}), std::nullopt);
}

TEST(AddressSpace, SaysWhenReservedBitsAreSet) {
  auto memory = small_machine();
  memory.set_u64({0x3020}, 0x406020e7);
  const AddressSpace space(memory, root, 4);

  EXPECT_THAT(fault(space, 0xffff888000800000),
              HasSubstr("(level 2 entry 0x406020e7, which has reserved bits set)"));
}

TEST(AddressSpace, SaysWhichPhysicalMemoryIsMissing) {
  auto memory = small_machine();
  memory.remove({0x4000}, page_size);
  const AddressSpace space(memory, root, 4);
  const std::string text = fault(space, 0xffff888000605000);

  EXPECT_THAT(text, StartsWith("no such memory at 0x4028"));
  EXPECT_THAT(text, HasSubstr("reading the level 1 entry for 0xffff888000605000"));
  EXPECT_THROW(space.find({0xffff888000605000}), Error);
}

TEST(AddressSpace, SkipsTheWalkInTheDirectMap) {
  BufferReader<PhysAddr> memory;  // no tables at all
  memory.set_u64({0x5000}, 42);
  AddressSpace space(memory, root, 4);
  space.set_direct_map({0xffff888000000000}, 0x6000);

  EXPECT_EQ(space.u64({0xffff888000005000}), 42u);
  EXPECT_EQ(space.find({0xffff888000005000}), PhysAddr{0x5000});
  EXPECT_THAT(fault(space, 0xffff888000006000), HasSubstr("level 4 entry"));
  EXPECT_THAT(fault(space, 0xffff887ffffffff8), HasSubstr("level 4 entry"));
}

TEST(AddressSpace, ReadsOnAcrossTheEndOfTheDirectMap) {
  auto memory = small_machine();
  AddressSpace space(memory, root, 4);
  // The direct map ends inside the page that the tables map at 0xffff888000605000.
  memory.add_zeros({0x605000}, 0xffc);
  space.set_direct_map({0xffff888000000000}, 0x605ffc);

  EXPECT_EQ(space.u64({0xffff888000605ff8}), 0x1111111100000000u);
}

TEST(AddressSpace, StripsTheEncryptionBit) {
  auto memory = small_machine();
  constexpr std::uint64_t c_bit = 1ULL << 51;
  memory.set_u64({0x1888}, 0x2067 | c_bit);
  memory.set_u64({0x4028}, 0x12345063 | c_bit);

  EXPECT_EQ(AddressSpace(memory, root, 4, c_bit).translate({0xffff888000605000}),
            PhysAddr{0x12345000});
}

TEST(AddressSpace, WalksFiveLevels) {
  BufferReader<PhysAddr> memory;
  // 0xff11000000000000: level 5 [0x111] at 0x1888, 4 [0], 3 [0] -> 1 GiB at 0
  memory.set_u64({0x1888}, 0x2067);
  memory.set_u64({0x2000}, 0x3067);
  memory.set_u64({0x3000}, 0xe7);
  memory.set_u64({0x7654320}, 9);

  EXPECT_EQ(AddressSpace(memory, root, 5).u64({0xff11000007654320}), 9u);
}

TEST(PagedMemory, StacksGuestVirtualOnGuestPhysicalOnHostPhysical) {
  // EPT: gpa 0 - 2 MiB lies at host 0x40000000. The guest's 32-bit tables: directory at gpa
  // 0x1000, its entry 1 -> table at gpa 0x2000, entry 0 -> gpa 0x3000.
  BufferReader<PhysAddr> host;
  host.set_u64({0x1000}, 0x2007);
  host.set_u64({0x2000}, 0x3007);
  host.set_u64({0x3000}, 0x400000b7);
  host.set_u32({0x40001004}, 0x2067);
  host.set_u32({0x40002000}, 0x3067);
  host.set_u32({0x40003010}, 77);
  const PagedMemory<GuestPhysAddr, PhysAddr> guest_physical(host, ept_level4, {0x1000});
  const PagedMemory<GuestVirtAddr, GuestPhysAddr> guest_virtual(guest_physical, legacy_32bit,
                                                                {0x1000});

  EXPECT_EQ(guest_virtual.value<std::uint32_t>({0x400010}), 77u);
  EXPECT_EQ(guest_virtual.translate({0x400010}), GuestPhysAddr{0x3010});
}

TEST(TranslationCache, KeepsPagesOfEachSizeApart) {
  TranslationCache cache;
  cache.add(0x605123, 0x12345123, 0x1000);
  cache.add(0x40000000, 0x80000000, 0x200000);
  cache.add(0x80000000, 0x0, 0x40000000);

  EXPECT_EQ(cache.find(0x605ff0)->target, 0x12345ff0u);
  EXPECT_EQ(cache.find(0x605ff0)->bytes_left, 0x10u);
  EXPECT_EQ(cache.find(0x401ff000)->target, 0x801ff000u);
  EXPECT_EQ(cache.find(0xbfffffff)->target, 0x3fffffffu);
  EXPECT_FALSE(cache.find(0x606000));
  EXPECT_FALSE(cache.find(0x40200000));
  EXPECT_FALSE(cache.find(0));
}

TEST(TranslationCache, RemembersAFourMebibytePageInPieces) {
  TranslationCache cache;
  cache.add(0x600000, 0xc200000, 0x400000);

  EXPECT_EQ(cache.find(0x7fffff)->target, 0xc3fffffu);
  EXPECT_FALSE(cache.find(0x400000));
}

}  // namespace
}  // namespace kvmscope
