// kdump-compressed dumps: pages that are there, and the words for those that are not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/address.hpp"
#include "core/base/error.hpp"
#include "core/memory/dump.hpp"
#include "tests/support/dump_files.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Storage = KdumpFile::Storage;

// Memory is frames 1 to 5. Dumped are 1 (0xaa, zlib), 2 (zeros, zlib), 4 (0xbb, as it is).
KdumpFile small_kdump() {
  KdumpFile file;
  file.memory = {1, 2, 3, 4, 5};
  file.pages[1] = {filled(std::byte{0xaa}, page_size), Storage::zlib};
  file.pages[2] = {filled(std::byte{0}, page_size), Storage::zlib};
  file.pages[4] = {filled(std::byte{0xbb}, page_size), Storage::plain};
  file.vmcoreinfo = "OSRELEASE=6.1.0\n";
  return file;
}

std::unique_ptr<Dump> open(const FileBytes& bytes) {
  const TemporaryFile file{Bytes(bytes)};
  return open_dump(file.path());
}

template <typename Body>
std::string error_of(ErrorKind kind, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  return "no error";
}

std::string fault(const Dump& dump, std::uint64_t address) {
  return error_of(ErrorKind::fault, [&] { dump.memory().u64({address}); });
}

std::string refusal(const FileBytes& bytes) {
  return error_of(ErrorKind::unavailable, [&] { open(bytes); });
}

TEST(KdumpDump, ReadsCompressedZeroAndPlainPages) {
  const auto dump = open(small_kdump().build());

  EXPECT_EQ(dump->memory().u64({0x1ff8}), 0xaaaaaaaaaaaaaaaa);
  EXPECT_EQ(dump->memory().u64({0x2000}), 0u);
  EXPECT_EQ(dump->memory().u64({0x4008}), 0xbbbbbbbbbbbbbbbb);
  EXPECT_EQ(dump->memory().u64({0x1ffc}), 0x00000000aaaaaaaa);
  EXPECT_THAT(dump->notes(), IsEmpty());
}

TEST(KdumpDump, SaysWhatItsHeadersSay) {
  const auto dump = open(small_kdump().build());

  EXPECT_EQ(dump->format(), "kdump zlib");
  EXPECT_EQ(dump->vmcoreinfo(), "OSRELEASE=6.1.0\n");
  ASSERT_EQ(dump->ranges().size(), 1u);
  EXPECT_EQ(dump->ranges()[0].start, PhysAddr{0x1000});
  EXPECT_EQ(dump->ranges()[0].end, PhysAddr{0x6000});
}

TEST(KdumpDump, JoinsFramesOfALargeMachineIntoRanges) {
  KdumpFile file = small_kdump();
  file.frames = 200;
  for (std::uint64_t frame = 60; frame < 200; ++frame) file.memory.insert(frame);
  const std::vector<PhysRange> ranges = open(file.build())->ranges();

  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[1].start, PhysAddr{60 * page_size});
  EXPECT_EQ(ranges[1].end, PhysAddr{200 * page_size});
}

TEST(KdumpDump, FindsPagesBehindManyOthers) {
  KdumpFile file;
  file.frames = 3000;
  for (std::uint64_t frame = 0; frame < 3000; frame += 3)
    file.pages[frame] = {filled(std::byte{static_cast<unsigned char>(frame % 251)}, page_size),
                         Storage::zlib};
  const auto dump = open(file.build());

  for (std::uint64_t frame = 0; frame < 3000; frame += 3)
    EXPECT_EQ(dump->memory().value<std::uint8_t>({frame * page_size}), frame % 251);
}

TEST(KdumpDump, NamesExcludedPagesAndMemoryThatNeverWas) {
  const auto dump = open(small_kdump().build());

  EXPECT_EQ(fault(*dump, 0x3008), "physical address 0x3008: page excluded from this dump");
  EXPECT_EQ(fault(*dump, 0x6000), "physical address 0x6000: no such memory in this dump");
  EXPECT_EQ(fault(*dump, 1ULL << 51),
            "physical address 0x8000000000000: no such memory in this dump");
  // The read starts in a page that is there.
  EXPECT_EQ(fault(*dump, 0x2ffc), "physical address 0x3000: page excluded from this dump");
}

TEST(KdumpDump, StaysUsableAfterAFault) {
  const auto dump = open(small_kdump().build());
  fault(*dump, 0x3000);

  EXPECT_EQ(dump->memory().u64({0x1000}), 0xaaaaaaaaaaaaaaaa);
  EXPECT_THAT(fault(*dump, 0x3000), HasSubstr("excluded"));
}

// libkdumpfile alone would give zeros behind the end of the file.
TEST(KdumpDump, NamesPagesThatACutTook) {
  FileBytes bytes = small_kdump().build();
  bytes.resize(bytes.size() - 8);  // the last page loses its end
  const auto dump = open(bytes);

  EXPECT_EQ(dump->memory().u64({0x1000}), 0xaaaaaaaaaaaaaaaa);
  EXPECT_EQ(fault(*dump, 0x4000),
            "physical address 0x4000: truncated (beyond the end of the dump file)");
  EXPECT_THAT(dump->notes(), ElementsAre(HasSubstr("truncated: the headers describe")));
}

TEST(KdumpDump, NamesPagesWhoseDescriptorsACutTook) {
  const KdumpFile file = small_kdump();
  FileBytes bytes = file.build();
  bytes.resize(file.descriptors_offset() + 30);
  const auto dump = open(bytes);

  EXPECT_THAT(fault(*dump, 0x1000), HasSubstr("truncated"));
  EXPECT_THAT(fault(*dump, 0x4000), HasSubstr("truncated"));
  EXPECT_THAT(fault(*dump, 0x3000), HasSubstr("excluded"));
  EXPECT_THAT(dump->notes(), ElementsAre(HasSubstr("truncated")));
}

TEST(KdumpDump, RefusesAFileCutInsideItsHeadersOrBitmaps) {
  const KdumpFile file = small_kdump();
  const FileBytes whole = file.build();
  const auto cut = [&](std::size_t size) {
    return refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
  };

  EXPECT_THAT(cut(300), HasSubstr("truncated inside its kdump headers"));
  EXPECT_THAT(cut(2 * page_size), HasSubstr("truncated inside its bitmaps"));
  EXPECT_THAT(cut(file.descriptors_offset() - 1), HasSubstr("truncated inside its bitmaps"));
}

TEST(KdumpDump, NamesDamagedPages) {
  const KdumpFile file = small_kdump();
  FileBytes bytes = file.build();
  put(bytes, file.data_offset(), std::uint64_t{0x1234567812345678});        // data of frame 1
  put(bytes, file.descriptors_offset() + 24 + 8, std::uint32_t{1U << 31});  // size of frame 2
  const auto dump = open(bytes);

  EXPECT_THAT(fault(*dump, 0x1000), HasSubstr("physical address 0x1000: the page is damaged"));
  EXPECT_THAT(fault(*dump, 0x2000), HasSubstr("its descriptor says 2147483648 bytes"));
  EXPECT_EQ(dump->memory().u64({0x4000}), 0xbbbbbbbbbbbbbbbb);
}

TEST(KdumpDump, OpensFilesThatNameOnlyTheMachineAsQemuDoes) {
  KdumpFile file = small_kdump();
  file.machine_only = true;

  EXPECT_EQ(open(file.build())->memory().u64({0x1000}), 0xaaaaaaaaaaaaaaaa);
}

TEST(KdumpDump, RefusesOneFileOfASplitDump) {
  KdumpFile file = small_kdump();
  file.split = true;

  EXPECT_THAT(refusal(file.build()), HasSubstr("makedumpfile --reassemble"));
}

TEST(KdumpDump, RefusesDamagedHeaders) {
  FileBytes bytes = small_kdump().build();
  put(bytes, 428, std::int32_t{65536});  // block_size
  EXPECT_THAT(refusal(bytes), HasSubstr("pages of 65536 bytes"));

  bytes = small_kdump().build();
  put(bytes, 432, std::int32_t{-2});  // sub_hdr_size
  EXPECT_THAT(refusal(bytes), HasSubstr("damaged kdump header"));

  bytes = small_kdump().build();
  put(bytes, page_size + 56, ~0ULL);  // size_note, at which libkdumpfile would crash
  EXPECT_THAT(refusal(bytes), HasSubstr("damaged kdump header"));

  bytes = small_kdump().build();
  put(bytes, page_size + 96, ~0ULL);  // max_mapnr_64
  EXPECT_THAT(refusal(bytes), HasSubstr("damaged kdump header"));
}

TEST(KdumpDump, HasNoVmcoreinfoWhenTheFileHasNone) {
  KdumpFile file = small_kdump();
  file.vmcoreinfo.reset();
  EXPECT_EQ(open(file.build())->vmcoreinfo(), std::nullopt);

  FileBytes bytes = small_kdump().build();
  put(bytes, page_size + 32, std::uint64_t{bytes.size()});  // offset_vmcoreinfo
  EXPECT_EQ(open(bytes)->vmcoreinfo(), std::nullopt);
}

TEST(KdumpDump, ReadsEachPageFromTheFileOnceAndCountsEachRead) {
  const auto dump = open(small_kdump().build());
  for (int i = 0; i < 3; ++i) dump->memory().u64({0x1000});

  EXPECT_EQ(dump->counts().reads, 3u);
  EXPECT_EQ(dump->counts().bytes, 24u);
}

}  // namespace
}  // namespace kvmscope
