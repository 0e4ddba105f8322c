// What a command's records do to the exit status, and which faults it survives.

#include "commands/output/row_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/interrupt.hpp"
#include "tests/commands/output/rendering.hpp"

namespace kvmscope {
namespace {

TEST(Status, TheWorstOfTwoIsToldInTheDocumentedOrder) {
  const int order[] = {130, 70, 2, 3, 5, 4, 1, 0};
  for (std::size_t i = 0; i < std::size(order); ++i)
    for (std::size_t j = i; j < std::size(order); ++j) {
      EXPECT_EQ(worse_status(order[i], order[j]), order[i]);
      EXPECT_EQ(worse_status(order[j], order[i]), order[i]);
    }
}

TEST(RowSink, ALostValueOrANoteInARecordMakesTheStatusFour) {
  const auto status_of = [](Record record) {
    return render_as("json", [&](RowSink& rows) { rows.add(std::move(record)); }).status;
  };
  EXPECT_EQ(status_of(page(1, 1)), 0);
  Record lost = page(1, 1);
  lost.values[1] = Lost{"gone"};
  EXPECT_EQ(status_of(lost), 4);
  Record noted = page(1, 1);
  noted.notes.emplace_back("odd");
  EXPECT_EQ(status_of(noted), 4);
  Record nested = page(1, 1);
  nested.values[5] = Records{{{Lost{"gone"}, Value{}}}};
  EXPECT_EQ(status_of(nested), 4);
}

TEST(RowSink, AttemptGoesOnAfterFaultsAndCorruptData) {
  const Rendered got = render_as("jsonl", [](RowSink& rows) {
    const auto what = [] { return std::string("VM 3"); };
    EXPECT_FALSE(rows.attempt(what, [] { throw Error(ErrorKind::fault, "missing"); }));
    EXPECT_EQ(rows.status(), 4);
    EXPECT_FALSE(rows.attempt(what, [] { throw Error(ErrorKind::corrupt, "a loop"); }));
    EXPECT_EQ(rows.status(), 5);
    EXPECT_TRUE(rows.attempt(what, [] {}));
  });
  EXPECT_EQ(got.errors, "kvmscope: note: VM 3: missing\nkvmscope: note: VM 3: a loop\n");
  EXPECT_EQ(got.status, 5);
}

TEST(RowSink, AttemptLetsOtherErrorsPass) {
  for (const ErrorKind kind :
       {ErrorKind::usage, ErrorKind::unavailable, ErrorKind::internal, ErrorKind::interrupted})
    EXPECT_THROW(render_as("json",
                           [&](RowSink& rows) {
                             rows.attempt([] { return std::string(); },
                                          [&] { throw Error(kind, "x"); });
                           }),
                 Error);
}

TEST(RowSink, StopsAfterCtrlC) {
  EXPECT_THROW(render_as("json",
                         [](RowSink& rows) {
                           set_interrupted();
                           rows.add(page(1, 1));
                         }),
               Error);
  clear_interrupted();
}

TEST(RowSink, RefusesRecordsThatDoNotFitTheColumns) {
  EXPECT_THROW(render_as("json", [](RowSink& rows) { rows.add({{std::uint64_t{1}}}); }), Error);
  EXPECT_THROW(render({.columns = {}}, [](RowSink& rows) { rows.add(page(1, 1)); }), Error);
}

TEST(RecordView, GivesValuesByName) {
  const Record record{{Hex(0x10), std::uint64_t{4}, "x", true, Words{"a", "b"}, Value{}}};
  const RecordView view(page_columns(), record);
  EXPECT_EQ(view.text("sp"), "0x10");
  EXPECT_EQ(view.number("sp"), 0x10U);
  EXPECT_EQ(view.number("level"), 4U);
  EXPECT_TRUE(view.flag("unsync"));
  EXPECT_EQ(view.text("flags"), "a,b");
  EXPECT_EQ(view.words("flags").size(), 2U);
  EXPECT_TRUE(view.is_null("parents"));
  EXPECT_TRUE(view.records("parents").empty());
  EXPECT_EQ(view.text("parents"), "-");
  EXPECT_FALSE(view.is_lost("sp"));
  EXPECT_THROW(view.text("nope"), Error);
}

// ---- the truth of records about a kernel that runs

std::vector<Column> with_truth() {
  std::vector<Column> columns = page_columns();
  columns.push_back(truth_column());
  return columns;
}

Rendered render_live(const std::function<void(RowSink&)>& body) {
  return render({.options = {.format = "jsonl"}, .columns = with_truth()}, body);
}

TEST(RowSinkLive, ARecordIsTornIfSomethingItWasMadeFromChanged) {
  std::string change;
  const Rendered got = render_live([&](RowSink& rows) {
    rows.set_live([&] { return change; });
    rows.add(page(1, 1));
    change = "role was 1, is 2";
    rows.add(page(2, 1));
    EXPECT_TRUE(rows.torn());
  });
  EXPECT_THAT(got.out, testing::HasSubstr(R"("truth": "stable"})"));
  EXPECT_THAT(got.out, testing::HasSubstr(R"("truth": "torn", "notes": ["role was 1, is 2"]})"));
  EXPECT_EQ(got.status, 0);
}

TEST(RowSinkLive, ALostValueOfATornRecordIsNoFailure) {
  const Rendered got = render_live([&](RowSink& rows) {
    rows.set_live([] { return std::string(); });
    Record record = page(1, 1);
    record.values[1] = Lost{"it changed", false, true};
    rows.add(std::move(record));
    record = page(2, 1);
    record.values[1] = Lost{"a loop", true};
    rows.add_checked(std::move(record), std::nullopt, "the list changed");
    EXPECT_EQ(rows.status(), 0);
    record = page(3, 1);
    record.values[1] = Lost{"a loop", true};
    rows.add_checked(std::move(record), std::nullopt, "");
  });
  EXPECT_EQ(got.status, 5);
}

TEST(RowSinkLive, ADraftIsSentOnlyWhenItIsKnownHowTrueItIs) {
  const Rendered got = render_live([&](RowSink& rows) {
    rows.set_live([] { return std::string(); });
    Draft draft;
    rows.draft(draft, [&] {
      rows.add(page(1, 1));
      rows.note("a note");
      rows.set_status(4);
    });
    EXPECT_TRUE(draft.damaged());
    EXPECT_EQ(rows.status(), 0);
    Draft dropped;
    rows.draft(dropped, [&] { rows.add(page(7, 1)); });
    rows.send(std::move(draft), "");
    EXPECT_EQ(rows.status(), 4);
  });
  EXPECT_THAT(got.out, testing::HasSubstr(R"("sp": "0x1")"));
  EXPECT_THAT(got.out, testing::Not(testing::HasSubstr(R"("sp": "0x7")")));
  EXPECT_EQ(got.errors, "kvmscope: note: a note\n");
}

TEST(RowSinkLive, WhatATornDraftSaysOfDamageDoesNotCount) {
  const Rendered got = render_live([&](RowSink& rows) {
    rows.set_live([] { return std::string(); });
    Draft draft;
    rows.draft(draft, [&] {
      rows.attempt([] { return std::string("VM 3"); },
                   [] { throw Error(ErrorKind::corrupt, "poison"); });
      rows.add(page(1, 1));
    });
    rows.send(std::move(draft), "the list changed");
    EXPECT_TRUE(rows.torn());
  });
  EXPECT_EQ(got.status, 0);
}

TEST(RowSinkLive, AttemptTakesTornDataForTorn) {
  const Rendered got = render_live([&](RowSink& rows) {
    rows.set_live([] { return std::string(); });
    EXPECT_FALSE(rows.attempt([] { return std::string("VM 3"); },
                              [] { throw Error(ErrorKind::torn, "it changed"); }));
    EXPECT_TRUE(rows.torn());
    // A limit is reached for all that follows: nothing goes on after it.
    EXPECT_THROW(rows.attempt([] { return std::string("VM 4"); },
                              [] { throw Error(ErrorKind::limit, "too much"); }),
                 Error);
  });
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.errors, "kvmscope: note: VM 3: it changed\n");
}

}  // namespace
}  // namespace kvmscope
