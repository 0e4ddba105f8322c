// -f table.

#include <gtest/gtest.h>

#include "commands/output/aligned_rows.hpp"
#include "tests/commands/output/rendering.hpp"

namespace kvmscope {
namespace {

const View page_view = {
    .table = {column("SP", "sp"), number_column("L", "level"), column("COMM", "comm")}};

TEST(Table, AlignsColumnsUnderAHeaderWithoutBlanksAtTheEnd) {
  const Rendered got = render({.view = page_view}, [](RowSink& rows) {
    rows.add(page(0x1000, 4));
    rows.add(page(0x20, 12, "a longer name"));
  });
  EXPECT_EQ(got.out,
            "SP       L  COMM\n"
            "0x1000   4  qemu\n"
            "0x20    12  a longer name\n");
  EXPECT_EQ(got.status, 0);
}

TEST(Table, ShowsEveryFieldWhenTheCommandHasNoFormOfItsOwn) {
  const Rendered got = render_as("table", add_everything);
  EXPECT_EQ(got.out,
            "SP                                 LEVEL  COMM      UNSYNC  FLAGS  PARENTS\n"
            "0xffff888000001000                     4  a \"b\", c  yes     A,D    "
            R"([{"sp": "0x10", "idx": -1}, {"sp": "0x20", "idx": 7}])"
            "\n"
            "-                   lost(no such memory)  -         -       -      "
            R"([{"sp": {"lost": "left out"}, "idx": null, "notes": ["inner"]}])"
            "\n");
  EXPECT_EQ(got.errors, "kvmscope: note: the list ends early\n");
  EXPECT_EQ(got.status, 4);
}

TEST(Table, PrintsNothingWhenThereAreNoRecords) {
  const Rendered got = render_as("table", [](RowSink& rows) { rows.note("no VM runs"); });
  EXPECT_EQ(got.out, "");
  EXPECT_EQ(got.errors, "kvmscope: note: no VM runs\n");
  EXPECT_EQ(got.status, 0);
}

TEST(Table, LeavesTheHeaderOutOnRequest) {
  const Rendered got = render({.options = {.header = false}, .view = page_view},
                              [](RowSink& rows) { rows.add(page(0x1000, 4)); });
  EXPECT_EQ(got.out, "0x1000  4  qemu\n");
}

TEST(Table, PutsFootersUnderTheRows) {
  const Rendered got = render({.view = page_view}, [](RowSink& rows) {
    rows.add(page(0x1000, 4));
    rows.footer("1 page");
  });
  EXPECT_EQ(got.out, "SP      L  COMM\n0x1000  4  qemu\n1 page\n");
}

TEST(Table, LetsNoControlCharactersOfTheTargetOut) {
  const Rendered got = render({.view = page_view}, [](RowSink& rows) {
    rows.add(page(0x1000, 4, "\x1b[2Jx\ny\xff"));
    rows.footer("\x1b[31m");
  });
  EXPECT_EQ(got.out, "SP      L  COMM\n0x1000  4  \\e[2Jx\\ny\\xff\n\\e[31m\n");
}

TEST(Table, CountsCharactersNotBytesInWidths) {
  const Rendered got = render({.view = page_view}, [](RowSink& rows) {
    rows.add({{Hex(1), std::uint64_t{1}, "→ a", false, Words{}, Records{}}});
  });
  EXPECT_EQ(got.out, "SP   L  COMM\n0x1  1  → a\n");
}

TEST(Table, StreamsOnceTheWidthsAreKnown) {
  Output out;
  AlignedRows rows(out, {Align::left, Align::left}, false);
  for (std::size_t i = 0; i < AlignedRows::measured_rows; ++i) rows.add({"ab", "c"});
  EXPECT_EQ(out.text(), "");
  rows.add({"ab", "c"});
  EXPECT_NE(out.text(), "");
  out.clear_text();
  rows.add({"much too wide", "c"});
  EXPECT_EQ(out.text(), "much too wide  c\n");
}

TEST(Table, ShowsFreeTextOfACommandThatHasSome) {
  const View view = {.block = [](const RecordView& record) {
    return "page " + record.text("sp") + ":\n  level\t" + record.text("level") + "\x1b";
  }};
  const auto body = [](RowSink& rows) { rows.add(page(0x1000, 4)); };
  EXPECT_EQ(render({.view = view}, body).out, "page 0x1000:\n  level\t4\\e\n");
  EXPECT_EQ(render({.options = {.columns = "level"}, .view = view}, body).out, "LEVEL\n    4\n");
}

TEST(Table, MarksTheCellsThatAreNotAsBefore) {
  const auto body = [](RowSink& rows) { rows.add_changed(page(2, 4, "a"), page(1, 4, "b")); };
  EXPECT_EQ(
      render({.options = {.columns = "sp,level,comm", .header = false}, .color = true}, body).out,
      "\x1b[7m0x2\x1b[0m  4  \x1b[7ma\x1b[0m\n");
  EXPECT_EQ(render({.options = {.columns = "sp,level,comm", .header = false}}, body).out,
            "0x2  4  a\n");
}

TEST(Table, ColoursHeadersAndLostValuesOnlyWhenAsked) {
  const auto body = [](RowSink& rows) {
    rows.add({{Lost{"x"}, std::uint64_t{4}, "q", false, Words{}, Records{}}});
  };
  EXPECT_EQ(render({.view = page_view, .color = true}, body).out,
            "\x1b[1mSP       L  COMM\x1b[0m\n\x1b[31mlost(x)\x1b[0m  4  q\n");
  EXPECT_EQ(render({.view = page_view}, body).out, "SP       L  COMM\nlost(x)  4  q\n");
}

}  // namespace
}  // namespace kvmscope
