// Relocation of debug sections in a module.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "dwarf/relocate.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope::dwarf {
namespace {

using testing::HasSubstr;

// A section of 16 bytes and one relocation of its second half, to byte 4 of .text.
std::string module_with(std::string_view relocation) {
  return fmt::format(R"(
    .text
    .skip 4
    label: nop
    .section .debug_info,"",@progbits
    .quad 1, 2
    .reloc {}
  )",
                     relocation);
}

class RelocateTest : public testing::Test {
 protected:
  std::vector<std::uint64_t> words_with(std::string_view relocation) {
    folder_.write("a.s", module_with(relocation));
    folder_.run("gcc -c a.s -o a.o");
    const ElfFile file(folder_.path("a.o"));
    relocate(file, ".debug_info");
    relocate(file, ".debug_info");  // twice is as good as once
    const Bytes bytes = file.data(file.section(".debug_info").value());
    return {load<std::uint64_t>(bytes), load<std::uint64_t>(bytes, 8)};
  }

  TemporaryFolder folder_;
};

TEST_F(RelocateTest, FillsInWhatTheLinkerWould) {
  EXPECT_EQ(words_with("8, R_X86_64_64, label + 0x10"), (std::vector<std::uint64_t>{1, 0x14}));
}

TEST_F(RelocateTest, WritesFourBytesWhereFourAreMeant) {
  EXPECT_EQ(words_with("4, R_X86_64_32, label - 1"), (std::vector<std::uint64_t>{0x300000001, 2}));
}

TEST_F(RelocateTest, LeavesThreadLocalOffsetsAlone) {
  EXPECT_EQ(words_with("8, R_X86_64_DTPOFF64, label"), (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(RelocateTest, AnUnknownTypeIsAnError) {
  try {
    words_with("8, R_X86_64_GOTPCREL, label");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("relocation type 9"));
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  }
}

TEST_F(RelocateTest, APlaceOutsideTheSectionIsAnError) {
  EXPECT_THROW(words_with("12, R_X86_64_64, label"), Error);
}

}  // namespace
}  // namespace kvmscope::dwarf
