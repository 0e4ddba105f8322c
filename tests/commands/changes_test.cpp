// What became of records between two rounds.

#include "commands/changes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;

Record record(std::string name, std::uint64_t value) {
  return {{std::move(name), value}};
}

std::vector<Column> columns() {
  return {{"name", ColumnKind::text, ""}, {"value", ColumnKind::count, ""}};
}

// "name: change fields"
std::vector<std::string> told(const std::vector<ChangedRecord>& records) {
  std::vector<std::string> lines;
  for (const ChangedRecord& one : records) {
    std::string line =
        value_text(one.record.values[0]) + ": " + std::string(name_of(one.change).word);
    for (const std::string_view field : one.fields) line += " " + std::string(field);
    lines.push_back(line);
  }
  return lines;
}

TEST(Changes, AreFoundByKey) {
  ChangeFinder finder(columns(), {"name"});
  EXPECT_THAT(told(finder.next({record("a", 1), record("b", 2), record("c", 3)})),
              ElementsAre("a: first", "b: first", "c: first"));
  EXPECT_THAT(told(finder.next({record("c", 3), record("d", 4), record("a", 9)})),
              ElementsAre("c: same", "d: new", "a: changed value", "b: gone"));
  EXPECT_THAT(told(finder.next({record("b", 2), record("a", 9)})),
              ElementsAre("b: new", "a: same", "c: gone", "d: gone"));
}

TEST(Changes, KeepWhatTheRecordWasBefore) {
  ChangeFinder finder(columns(), {"name"});
  finder.next({record("a", 1)});
  const std::vector<ChangedRecord> records = finder.next({record("a", 2)});
  EXPECT_EQ(records[0].before, record("a", 1));
  EXPECT_EQ(records[0].record, record("a", 2));
}

TEST(Changes, WithoutAKeyGoByPlace) {
  ChangeFinder finder(columns(), {});
  finder.next({record("a", 1), record("b", 1)});
  EXPECT_THAT(told(finder.next({record("b", 1)})), ElementsAre("b: changed name", "b: gone"));
}

TEST(Changes, OfRecordsWithTheSameKeyGoByTheirOrder) {
  ChangeFinder finder(columns(), {"name"});
  finder.next({record("a", 1), record("a", 2)});
  EXPECT_THAT(told(finder.next({record("a", 1), record("a", 5), record("a", 6)})),
              ElementsAre("a: same", "a: changed value", "a: new"));
}

TEST(Changes, IncludeValuesThatGetLostAndNotes) {
  ChangeFinder finder(columns(), {"name"});
  finder.next({record("a", 1), record("b", 1)});
  Record lost{{std::string("a"), Lost{"excluded"}}};
  Record noted = record("b", 1);
  noted.notes = {"torn"};
  EXPECT_THAT(told(finder.next({lost, noted})), ElementsAre("a: changed value", "b: changed"));
}

TEST(Changes, NeedKeysThatAreFields) {
  EXPECT_THROW(ChangeFinder(columns(), {"other"}), Error);
}

}  // namespace
}  // namespace kvmscope
