// -f json, jsonl and report, as text and as data.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/commands/output/rendering.hpp"

namespace kvmscope {
namespace {

constexpr const char* first_record =
    R"({"sp": "0xffff888000001000", "level": 4, "comm": "a \"b\", c", "unsync": true, )"
    R"("flags": ["A", "D"], "parents": [{"sp": "0x10", "idx": -1}, {"sp": "0x20", "idx": 7}]})";
constexpr const char* second_record =
    R"({"sp": null, "level": {"lost": "no such memory"}, "comm": null, "unsync": null, )"
    R"("flags": [], "parents": [{"sp": {"lost": "left out"}, "idx": null, "notes": ["inner"]}], )"
    R"("notes": ["the list ends early"]})";

TEST(Json, IsOneArrayWithARecordOnEachLine) {
  const Rendered got = render_as("json", add_everything);
  EXPECT_EQ(got.out, std::string("[\n") + first_record + ",\n" + second_record + "\n]\n");
  EXPECT_EQ(got.errors, "");
  EXPECT_EQ(got.status, 4);
  EXPECT_EQ(nlohmann::json::parse(got.out).size(), 2U);
}

TEST(Json, IsAnEmptyArrayWithoutRecords) {
  EXPECT_EQ(render_as("json", [](RowSink&) {}).out, "[]\n");
}

TEST(Json, HasNumbersInsteadOfHexStringsOnRequest) {
  const Rendered got = render({.options = {.format = "json", .raw_numbers = true}},
                              [](RowSink& rows) { rows.add(page(0xffffffffffffffff, 4)); });
  EXPECT_EQ(nlohmann::json::parse(got.out)[0]["sp"], 0xffffffffffffffffU);
}

TEST(Json, HasTheChosenFieldsInTheirOrderAndEachOnce) {
  const Rendered got = render({.options = {.format = "json", .columns = "comm,SP,sp"}},
                              [](RowSink& rows) { rows.add(page(0x10, 4)); });
  EXPECT_EQ(got.out, "[\n{\"comm\": \"qemu\", \"sp\": \"0x10\"}\n]\n");
}

TEST(Json, SaysWhichBytesAreNoText) {
  const Rendered got = render_as("json", [](RowSink& rows) {
    rows.add(page(0x10, 4, "\x1b[1m\xff\\\t\n\x7f\xc2\x9b\xe2\x80\xae→"));
  });
  EXPECT_NE(got.out.find(R"("\u001b[1m\\xff\\\t\n\u007f\u009b\u202e→")"), std::string::npos)
      << got.out;
  EXPECT_NO_THROW({ const auto parsed = nlohmann::json::parse(got.out); });
}

TEST(Json, NotesGoToStandardError) {
  const Rendered got = render_as("json", [](RowSink& rows) { rows.note("no \x1bVM"); });
  EXPECT_EQ(got.out, "[]\n");
  EXPECT_EQ(got.errors, "kvmscope: note: no \\eVM\n");
}

TEST(Jsonl, IsOneObjectALine) {
  const Rendered got = render_as("jsonl", add_everything);
  EXPECT_EQ(got.out, std::string(first_record) + "\n" + second_record + "\n");
}

TEST(Report, SaysWhatWasLookedAtAndKeepsNotesInside) {
  const Rendered got = render_as("report", [](RowSink& rows) {
    rows.note("first");
    rows.add(page(0x10, 4));
    rows.add(page(0x20, 3));
    rows.note("second");
  });
  const nlohmann::json report = nlohmann::json::parse(got.out);
  EXPECT_EQ(report["schema"], "kvmscope.report/1");
  EXPECT_EQ(report["target"], "vmcore");
  EXPECT_EQ(report["time"], "2026-01-31T12:00:00Z");
  EXPECT_EQ(report["truth"], "dump");
  EXPECT_EQ(report["notes"], nlohmann::json({"first", "second"}));
  EXPECT_EQ(report["records"].size(), 2U);
  EXPECT_EQ(report["records"][1]["sp"], "0x20");
  EXPECT_EQ(report.size(), 6U);
  EXPECT_EQ(got.errors, "");
}

TEST(Report, WithoutRecordsIsComplete) {
  const nlohmann::json report =
      nlohmann::json::parse(render_as("report", [](RowSink& rows) { rows.note("no VM"); }).out);
  EXPECT_EQ(report["records"], nlohmann::json::array());
  EXPECT_EQ(report["notes"], nlohmann::json({"no VM"}));
}

}  // namespace
}  // namespace kvmscope
