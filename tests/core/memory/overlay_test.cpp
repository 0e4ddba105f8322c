// Bytes planted over a dump.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "core/memory/dump.hpp"
#include "tests/support/dump_files.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// 0x11 in all of 0x1000-0x2000.
std::unique_ptr<Dump> plant(std::string_view overlay) {
  const TemporaryFile base{
      Bytes(ElfFile{.segments = {{0x1000, filled(std::byte{0x11}, 0x1000)}}}.build())};
  const TemporaryFile file(overlay);
  return overlay_dump(open_dump(base.path()), file.path());
}

std::string refusal(std::string_view overlay) {
  try {
    plant(overlay);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    return error.what();
  }
  return "no error";
}

TEST(Overlay, ShowsThePlantedBytesAndTheDumpsOwnAroundThem) {
  const auto dump = plant("# a fault\n0x1002 ffee dd # three bytes\n\n");

  EXPECT_EQ(dump->memory().u64({0x1000}), 0x111111ddeeff1111);
  EXPECT_EQ(dump->memory().u64({0x1005}), 0x1111111111111111);
  EXPECT_EQ(dump->memory().value<std::uint8_t>({0x1003}), 0xee);
}

TEST(Overlay, PlantsWhereTheDumpHasNoMemory) {
  const auto dump = plant("0x1ffc 0102030405060708");

  EXPECT_EQ(dump->memory().u64({0x1ffc}), 0x0807060504030201);
  EXPECT_THROW(dump->memory().u64({0x2000}), Error);
}

TEST(Overlay, LetsALaterLineReplaceAnEarlierOne) {
  EXPECT_EQ(plant("0x1000 0102\n0x1001 aa\n")->memory().value<std::uint16_t>({0x1000}), 0xaa01);
}

TEST(Overlay, KeepsWhatTheDumpSaysAndAddsANote) {
  const auto dump = plant("0x1000 0102\n");

  EXPECT_EQ(dump->format(), "ELF");
  EXPECT_EQ(dump->ranges().size(), 1u);
  EXPECT_THAT(dump->notes(), ElementsAre(HasSubstr("2 bytes are planted")));
}

TEST(Overlay, SaysWhichLineIsWrong) {
  EXPECT_THAT(refusal("0x1000 00\n1000 00\n"), HasSubstr("'1000' is no address"));
  EXPECT_THAT(refusal("0x1000 00\n1000 00\n"), HasSubstr("line 2"));
  EXPECT_THAT(refusal("0x1000 123"), HasSubstr("odd number of hex digits"));
  EXPECT_THAT(refusal("0x1000 -1"), HasSubstr("'-1' is not a byte"));
  EXPECT_THAT(refusal("0x1000"), HasSubstr("no bytes behind the address"));
  EXPECT_THAT(refusal("0x"), HasSubstr("is no address"));
  EXPECT_THAT(refusal("0xffffffffffffffff 0000"), HasSubstr("beyond the last address"));
}

TEST(Overlay, SaysThatTheFileIsNotThere) {
  const TemporaryFile base{
      Bytes(ElfFile{.segments = {{0x1000, filled(std::byte{0x11}, 0x1000)}}}.build())};

  EXPECT_THROW(overlay_dump(open_dump(base.path()), "/no/such/overlay"), Error);
}

}  // namespace
}  // namespace kvmscope
