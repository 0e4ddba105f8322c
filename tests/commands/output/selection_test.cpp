// -o and --sort.

#include "commands/output/selection.hpp"

#include <gtest/gtest.h>

#include "tests/commands/output/rendering.hpp"

namespace kvmscope {
namespace {

const View page_view = {.table = {column("SP", "sp"), number_column("L", "level")}};

std::string table(std::string columns, std::string sort = "") {
  return render({.options = {.columns = std::move(columns), .sort = std::move(sort)},
                 .view = page_view},
                [](RowSink& rows) {
                  rows.add(page(0x10, 2, "0.10"));
                  rows.add(page(0x20, 4, "0.9"));
                  rows.add({{Hex(0x30), Value{}, "1.0", true, Words{}, Records{}}});
                })
      .out;
}

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "no error";
}

TEST(Columns, AreChosenByHeaderOrFieldInAnyCase) {
  EXPECT_EQ(table("l,COMM"), "L  COMM\n2  0.10\n4  0.9\n-  1.0\n");
  EXPECT_EQ(table("sp"), table("SP"));
}

TEST(Columns, WithAPlusComeBehindTheUsualOnes) {
  EXPECT_EQ(table("+comm"), "SP    L  COMM\n0x10  2  0.10\n0x20  4  0.9\n0x30  -  1.0\n");
}

TEST(Columns, AllAreTheFieldsOfTheRecord) {
  EXPECT_EQ(table("all").substr(0, 44), "SP    LEVEL  COMM  UNSYNC  FLAGS  PARENTS\n0x");
}

TEST(Columns, ThatDoNotExistAreAnErrorThatListsTheFields) {
  EXPECT_EQ(error_of([] { table("nope"); }),
            "-o: no field 'nope'; there are: sp, level, comm, unsync, flags, parents");
  EXPECT_EQ(error_of([] { table("", "nope"); }),
            "--sort: no field 'nope'; there are: sp, level, comm, unsync, flags, parents");
  EXPECT_EQ(error_of([] { render_as("xml", [](RowSink&) {}); }),
            "no format 'xml'; there are: table, tree, json, jsonl, csv, dot, report, raw");
}

TEST(Sort, ComparesNumbersAsNumbersAndPutsTheUnknownLast) {
  EXPECT_EQ(table("l", "level"), "L\n2\n4\n-\n");
  EXPECT_EQ(table("l", "-level"), "L\n4\n2\n-\n");
  EXPECT_EQ(table("l", "L:desc"), "L\n4\n2\n-\n");
  EXPECT_EQ(table("comm", "comm"), "COMM\n0.9\n0.10\n1.0\n");
  EXPECT_EQ(table("comm", "-comm"), "COMM\n1.0\n0.10\n0.9\n");
}

TEST(Sort, WorksForEveryFlatFormatAndKeepsFootersBelow) {
  const Rendered got = render({.options = {.format = "table", .columns = "level", .sort = "level"}},
                              [](RowSink& rows) {
                                rows.add(page(1, 4));
                                rows.footer("sum");
                                rows.add(page(2, 3));
                              });
  EXPECT_EQ(got.out, "LEVEL\n    3\n    4\nsum\n");
  EXPECT_EQ(error_of([] { render({.options = {.format = "tree", .sort = "sp"}}, add_everything); }),
            "--sort would tear a tree apart: use another format");
}

TEST(Sort, ComparesNumbersInsideTexts) {
  EXPECT_TRUE(natural_less("0.9", "0.10"));
  EXPECT_TRUE(natural_less("a", "b"));
  EXPECT_TRUE(natural_less("0.0", "0.0.prev0"));
  EXPECT_FALSE(natural_less("0.010", "0.10"));
  EXPECT_FALSE(natural_less("0.10", "0.010"));
  EXPECT_TRUE(natural_less("x99999999999999999999998", "x99999999999999999999999"));
  EXPECT_FALSE(natural_less("", ""));
}

}  // namespace
}  // namespace kvmscope
