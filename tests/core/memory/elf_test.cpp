// ELF cores: what is in the file, and the words for what is not.

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/base/address.hpp"
#include "core/base/error.hpp"
#include "core/memory/dump.hpp"
#include "tests/support/dump_files.hpp"

namespace kvmscope {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::byte a{0xaa};
constexpr std::byte b{0xbb};

std::unique_ptr<Dump> open(const FileBytes& bytes) {
  const TemporaryFile file{Bytes(bytes)};
  return open_dump(file.path());
}

// Two pages of RAM at 1 MiB, one at 4 MiB.
ElfFile two_segments() {
  return {.segments = {{0x100000, filled(a, 0x2000)}, {0x400000, filled(b, 0x1000)}}};
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

std::string fault(const Dump& dump, std::uint64_t address, std::size_t size = 8) {
  FileBytes into(size);
  return error_of(ErrorKind::fault, [&] { dump.memory().read({address}, into); });
}

std::string refusal(const FileBytes& bytes) {
  return error_of(ErrorKind::unavailable, [&] { open(bytes); });
}

TEST(ElfDump, ReadsByPhysicalAddress) {
  const auto dump = open(two_segments().build());

  EXPECT_EQ(dump->memory().u64({0x100ff8}), 0xaaaaaaaaaaaaaaaa);
  EXPECT_EQ(dump->memory().u64({0x400000}), 0xbbbbbbbbbbbbbbbb);
  EXPECT_EQ(dump->format(), "ELF");
  EXPECT_THAT(dump->notes(), IsEmpty());
  ASSERT_EQ(dump->ranges().size(), 2u);
  EXPECT_EQ(dump->ranges()[0].end, PhysAddr{0x102000});
}

TEST(ElfDump, TakesTheAddressFromThePhysicalFieldWhateverTheVirtualOneSays) {
  ElfFile file{.segments = {{0x100000, filled(a, 8), 0, 0}, {0x200000, filled(b, 8), 0, 0x100000}}};

  EXPECT_EQ(open(file.build())->memory().u64({0x100000}), 0xaaaaaaaaaaaaaaaa);
}

TEST(ElfDump, ReadsAcrossSegmentsThatTouch) {
  ElfFile file{.segments = {{0x1000, filled(a, 0x1000)}, {0x2000, filled(b, 0x1000)}}};

  EXPECT_EQ(open(file.build())->memory().u64({0x1ffc}), 0xbbbbbbbbaaaaaaaa);
}

TEST(ElfDump, CountsReadsAndBytes) {
  const auto dump = open(two_segments().build());
  dump->memory().u64({0x100000});
  dump->memory().u64({0x400000});

  EXPECT_EQ(dump->counts().reads, 2u);
  EXPECT_EQ(dump->counts().bytes, 16u);
}

TEST(ElfDump, NamesMemoryThatNoSegmentHas) {
  const auto dump = open(two_segments().build());

  EXPECT_EQ(fault(*dump, 0x300000), "physical address 0x300000: no such memory in this dump");
  EXPECT_EQ(fault(*dump, 0x101ffc), "physical address 0x102000: no such memory in this dump");
}

TEST(ElfDump, NamesMemoryThatTheSegmentHasButTheFileDoesNot) {
  // makedumpfile -E: p_filesz ends before p_memsz.
  ElfFile file{.segments = {{0x100000, filled(a, 0x1000), 0x3000}}};
  const auto dump = open(file.build());

  EXPECT_EQ(fault(*dump, 0x101000),
            "physical address 0x101000: left out of this dump (excluded or zero: the format does "
            "not say)");
  EXPECT_EQ(dump->ranges()[0].end, PhysAddr{0x103000});
}

TEST(ElfDump, OpensACutFileAndNamesWhatTheCutTook) {
  const ElfFile file = two_segments();
  FileBytes bytes = file.build();
  bytes.resize(file.data_offset() + 0x1800);
  const auto dump = open(bytes);

  EXPECT_EQ(dump->memory().u64({0x100ff8}), 0xaaaaaaaaaaaaaaaa);
  EXPECT_EQ(fault(*dump, 0x1017fc),
            "physical address 0x101800: truncated (beyond the end of the dump file)");
  EXPECT_THAT(fault(*dump, 0x400000), HasSubstr("0x400000: truncated"));
  EXPECT_THAT(dump->notes(), ElementsAre(HasSubstr("truncated: the headers describe")));
}

TEST(ElfDump, FindsBytesInAnySegmentThatCoversThem) {
  // Kernel text lies in RAM that another segment describes, which here lacks its bytes.
  ElfFile file{.segments = {{0x100000, filled(a, 0x1000), 0x4000}, {0x102000, filled(b, 0x1000)}}};
  const auto dump = open(file.build());

  EXPECT_EQ(dump->memory().u64({0x102800}), 0xbbbbbbbbbbbbbbbb);
  EXPECT_THAT(fault(*dump, 0x101ffc, 4), HasSubstr("left out"));
  EXPECT_THAT(fault(*dump, 0x103000), HasSubstr("left out"));
  EXPECT_EQ(dump->ranges().size(), 1u);
}

TEST(ElfDump, IgnoresSegmentsWithoutAPhysicalAddress) {
  ElfFile file = two_segments();
  file.segments.push_back({~0ULL, filled(b, 0x1000)});

  EXPECT_EQ(open(file.build())->ranges().size(), 2u);
}

TEST(ElfDump, ReadsProgramHeadersWhereQemuPutsThem) {
  ElfFile file = two_segments();
  file.section_header_first = true;

  EXPECT_EQ(open(file.build())->memory().u64({0x400000}), 0xbbbbbbbbbbbbbbbb);
}

TEST(ElfDump, TakesTheNumberOfSegmentsFromTheSectionHeaderWhenThereAreTooMany) {
  ElfFile file = two_segments();
  file.section_header_first = true;
  file.extended_numbering = true;

  EXPECT_EQ(open(file.build())->ranges().size(), 2u);
}

TEST(ElfDump, NotesAnI386HeaderRoundAnX86_64Kernel) {
  ElfFile file = two_segments();
  file.machine = EM_386;
  const auto dump = open(file.build());

  EXPECT_EQ(dump->memory().u64({0x400000}), 0xbbbbbbbbbbbbbbbb);
  EXPECT_THAT(dump->notes(), ElementsAre(HasSubstr("says i386")));
}

TEST(ElfDump, FindsTheVmcoreinfoNote) {
  ElfFile file = two_segments();
  file.vmcoreinfo = "OSRELEASE=6.1.0\nPAGESIZE=4096\n";

  EXPECT_EQ(open(file.build())->vmcoreinfo(), "OSRELEASE=6.1.0\nPAGESIZE=4096\n");
  EXPECT_EQ(open(two_segments().build())->vmcoreinfo(), std::nullopt);
}

TEST(ElfDump, DoesNotReadANotePastItsSegment) {
  ElfFile file = two_segments();
  file.vmcoreinfo = "OSRELEASE=6.1.0\n";
  FileBytes bytes = file.build();
  const std::size_t note = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr);
  put(bytes, note + 4, std::uint32_t{0xffffffff});  // n_descsz

  EXPECT_EQ(open(bytes)->vmcoreinfo(), std::nullopt);
  put(bytes, note, std::uint32_t{0xffffffff});  // n_namesz
  EXPECT_EQ(open(bytes)->vmcoreinfo(), std::nullopt);
}

TEST(ElfDump, RefusesHeadersThatAreCut) {
  const FileBytes whole = two_segments().build();

  EXPECT_THAT(refusal({whole.begin(), whole.begin() + 40}),
              HasSubstr("truncated inside its ELF header"));
  EXPECT_THAT(refusal({whole.begin(), whole.begin() + 100}),
              HasSubstr("truncated inside its program headers"));
}

TEST(ElfDump, RefusesProgramHeadersThatAreNotInTheFile) {
  FileBytes bytes = two_segments().build();
  put(bytes, offsetof(Elf64_Ehdr, e_phoff), ~0ULL);
  EXPECT_THAT(refusal(bytes), HasSubstr("truncated inside its program headers"));

  ElfFile many = two_segments();
  many.extended_numbering = true;  // and no section header
  EXPECT_THAT(refusal(many.build()), HasSubstr("section header that is not there"));
}

TEST(ElfDump, SurvivesSegmentsThatWrapAround) {
  FileBytes bytes = two_segments().build();
  Elf64_Phdr header = load<Elf64_Phdr>(bytes, sizeof(Elf64_Ehdr));
  header.p_offset = ~0ULL - 8;
  header.p_paddr = ~0ULL - 0x10000;
  header.p_filesz = header.p_memsz = ~0ULL;
  put(bytes, sizeof(Elf64_Ehdr), header);
  const auto dump = open(bytes);

  EXPECT_THAT(fault(*dump, ~0ULL - 0x100), HasSubstr("truncated"));
  EXPECT_EQ(dump->memory().u64({0x400000}), 0xbbbbbbbbbbbbbbbb);
}

TEST(ElfDump, SurvivesAFileThatIsCutWhileItIsOpen) {
  const ElfFile elf = two_segments();
  const TemporaryFile file{Bytes(elf.build())};
  const auto dump = open_dump(file.path());
  EXPECT_EQ(dump->memory().u64({0x100000}), 0xaaaaaaaaaaaaaaaa);
  fs::resize_file(file.path(), elf.data_offset() + 0x1004);

  EXPECT_THAT(fault(*dump, 0x101000), HasSubstr("0x101004: truncated"));
  EXPECT_THAT(fault(*dump, 0x101000, 0x1000), HasSubstr("0x101004: truncated"));
  EXPECT_THAT(fault(*dump, 0x400000), HasSubstr("0x400000: truncated"));
  EXPECT_EQ(dump->memory().u64({0x100ff8}), 0xaaaaaaaaaaaaaaaa);
}

TEST(ElfDump, RefusesFilesThatAreNoDumpOfAnX86Kernel) {
  ElfFile file = two_segments();
  file.type = ET_DYN;
  EXPECT_THAT(refusal(file.build()), HasSubstr("is an ELF executable (a vmlinux?), not a dump"));
  file.type = ET_REL;
  EXPECT_THAT(refusal(file.build()), HasSubstr("is an ELF object file (a kernel module?)"));
  file.type = ET_CORE;
  file.machine = EM_AARCH64;
  EXPECT_THAT(refusal(file.build()), HasSubstr("another architecture"));
  EXPECT_THAT(refusal(ElfFile{}.build()), HasSubstr("no memory with physical addresses"));
}

TEST(ElfDump, RefusesTheCoreOfAProcess) {
  ElfFile file{.segments = {{0, filled(a, 8), 0, 0x1000}, {0, filled(b, 8), 0, 0x2000}}};

  EXPECT_THAT(refusal(file.build()), HasSubstr("looks like the core of a process"));
}

}  // namespace
}  // namespace kvmscope
