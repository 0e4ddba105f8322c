// -f csv.

#include <gtest/gtest.h>

#include "tests/commands/output/rendering.hpp"

namespace kvmscope {
namespace {

TEST(Csv, QuotesCellsAndWritesListsAsJson) {
  const Rendered got = render_as("csv", add_everything);
  EXPECT_EQ(got.out,
            "sp,level,comm,unsync,flags,parents\n"
            R"(0xffff888000001000,4,"a ""b"", c",true,"[""A"", ""D""]",)"
            R"("[{""sp"": ""0x10"", ""idx"": -1}, {""sp"": ""0x20"", ""idx"": 7}]")"
            "\n"
            R"(,lost(no such memory),,,[],)"
            R"("[{""sp"": {""lost"": ""left out""}, ""idx"": null, ""notes"": [""inner""]}]")"
            "\n");
  EXPECT_EQ(got.errors, "kvmscope: note: the list ends early\n");
}

TEST(Csv, HasItsHeaderWithoutRecords) {
  const auto nothing = [](RowSink&) {};
  EXPECT_EQ(render({.options = {.format = "csv", .columns = "sp,level"}}, nothing).out,
            "sp,level\n");
  EXPECT_EQ(render({.options = {.format = "csv", .header = false}}, nothing).out, "");
}

TEST(Csv, KeepsLineEndsInsideQuotesAndNoOtherControlCharacter) {
  const Rendered got = render({.options = {.format = "csv", .columns = "comm", .header = false}},
                              [](RowSink& rows) { rows.add(page(0x10, 4, "a\nb\x1b[1m\r")); });
  EXPECT_EQ(got.out, "\"a\nb\\e[1m\\r\"\n");
}

TEST(Csv, HasNumbersInsteadOfHexOnRequest) {
  const Rendered got =
      render({.options = {.format = "csv", .columns = "sp", .header = false, .raw_numbers = true}},
             [](RowSink& rows) { rows.add(page(0x10, 4)); });
  EXPECT_EQ(got.out, "16\n");
}

}  // namespace
}  // namespace kvmscope
