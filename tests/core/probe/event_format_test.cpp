// Format files, as kernels write them.

#include "core/probe/event_format.hpp"

#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"

namespace kvmscope::probe {
namespace {

// events/kvmmmu/kvm_mmu_get_page/format of 6.1, with fields of other events added.
constexpr std::string_view text = R"(name: kvm_mmu_get_page
ID: 1479
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:__u8 mmu_valid_gen;	offset:8;	size:1;	signed:0;
	field:__u64 gfn;	offset:16;	size:8;	signed:0;
	field:bool unsync;	offset:24;	size:1;	signed:0;
	field:void * sptep;	offset:32;	size:8;	signed:0;
	field:s32 ret;	offset:40;	size:4;	signed:1;
	field:char comm[16];	offset:48;	size:16;	signed:0;
	field:__data_loc char[] name;	offset:64;	size:4;	signed:0;

print fmt: "field:int nothing; offset:0;", REC->gfn
)";

TEST(EventFormats, NameTheirFields) {
  const EventFormat format = parse_event_format(text);
  EXPECT_EQ(format.name, "kvm_mmu_get_page");
  EXPECT_EQ(format.id, 1479);
  ASSERT_EQ(format.fields.size(), 7U);
  EXPECT_EQ(format.common.size(), 2U);
  EXPECT_EQ(format.fields[3].name, "sptep");
  EXPECT_EQ(format.fields[3].type, "void *");
  EXPECT_EQ(format.fields[5].name, "comm");
  EXPECT_EQ(format.fields[5].type, "char[16]");
  EXPECT_EQ(format.find("gfn")->offset, 16U);
  EXPECT_NE(format.find("common_pid"), nullptr);
  EXPECT_EQ(format.find("nothing"), nullptr);
}

TEST(EventFormats, TellNumbersFromTheRest) {
  const EventFormat format = parse_event_format(text);
  for (const char* number : {"mmu_valid_gen", "gfn", "unsync", "sptep", "ret"})
    EXPECT_TRUE(format.find(number)->is_number()) << number;
  EXPECT_FALSE(format.find("comm")->is_number());
  EXPECT_FALSE(format.find("name")->is_number());
}

TEST(EventFormats, FieldsAreReadInBoundsAndWithTheirSign) {
  const std::vector<std::byte> event{std::byte{0xfe}, std::byte{0xff}, std::byte{0xff},
                                     std::byte{0xff}};
  EventField field{.name = "x", .type = "int", .offset = 0, .size = 4, .is_signed = true};
  EXPECT_EQ(read_field(field, event), static_cast<std::uint64_t>(-2));
  field.is_signed = false;
  EXPECT_EQ(read_field(field, event), 0xfffffffeU);
  field.offset = 1;
  EXPECT_EQ(read_field(field, event), std::nullopt);
  field.offset = 1U << 16;
  EXPECT_EQ(read_field(field, event), std::nullopt);
}

TEST(EventFormats, ThatAreNoneAreCorrupt) {
  EXPECT_ERROR(parse_event_format(""), ErrorKind::corrupt, "no ID or common_type");
  EXPECT_ERROR(parse_event_format("ID: 99999999\n"), ErrorKind::corrupt, "do not understand");
  EXPECT_ERROR(parse_event_format("field:int x;\toffset:0;\n"), ErrorKind::corrupt,
               "do not understand");
  EXPECT_ERROR(parse_event_format("field:int;\toffset:0;\tsize:4;\tsigned:0;\n"),
               ErrorKind::corrupt, "do not understand");
  EXPECT_ERROR(parse_event_format("field:int x;\toffset:-1;\tsize:4;\tsigned:0;\n"),
               ErrorKind::corrupt, "do not understand");
}

}  // namespace
}  // namespace kvmscope::probe
