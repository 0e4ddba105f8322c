// watch: rounds of a command whose records change.

#include "commands/watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "commands/catalogue.hpp"
#include "commands/shell/complete.hpp"
#include "commands/shell/runner.hpp"
#include "core/base/interrupt.hpp"
#include "tests/support/fake_kernel_target.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using testing::HasSubstr;

// What a command "pages" shows, round by round; behind the last one comes Ctrl-C.
using Round = std::function<void(RowSink& rows)>;

Round shows(std::vector<std::pair<std::string, std::uint64_t>> pages) {
  return [pages](RowSink& rows) {
    for (const auto& [name, value] : pages) rows.add({{name, value}});
  };
}

class Watching {
 public:
  explicit Watching(std::vector<Round> rounds) {
    Command pages;
    pages.names = {"pages"};
    pages.needs = Needs::nothing;
    pages.arguments = {{"VM", ArgumentKind::text, "", true}};
    pages.columns = {{"name", ColumnKind::text, ""}, {"value", ColumnKind::count, ""}};
    pages.view = {.table = {column("NAME", "name"), number_column("VALUE", "value")}};
    pages.keys = {"name"};
    pages.run = [this, rounds](Session&, const Arguments&, RowSink& rows) {
      const std::size_t round = run_++;
      if (round < rounds.size()) rounds[round](rows);
      if (run_ >= rounds.size()) set_interrupted();
    };
    commands_.push_back(pages);
    commands_.push_back(watch());
    commands_[1].needs = Needs::nothing;
    commands_.push_back(quit());
  }
  ~Watching() { clear_interrupted(); }

  int run(std::string_view line) {
    Session session({}, finder_, commands_, console);
    const int status = run_line(session, line);
    interrupted_after_ = interrupted();
    return status;
  }
  std::vector<json> records() const {
    std::vector<json> all;
    std::istringstream lines(out.text());
    for (std::string line; std::getline(lines, line);) all.push_back(json::parse(line));
    return all;
  }
  bool interrupted_after() const { return interrupted_after_; }

  Output out;
  Output errors;

 private:
  Messages messages_{errors, false, false};

 public:
  Console console{.out = &out, .messages = messages_};

 private:
  FakeFinder finder_;
  std::vector<Command> commands_;
  std::size_t run_ = 0;
  bool interrupted_after_ = false;
};

TEST(Watch, SendsAllRecordsOfTheFirstRoundAndThenThoseThatChanged) {
  Watching watching({shows({{"a", 1}, {"b", 1}, {"c", 1}}), shows({{"a", 1}, {"b", 2}, {"d", 1}}),
                     shows({{"a", 1}, {"b", 2}, {"d", 1}}), shows({})});
  EXPECT_EQ(watching.run("watch --every 0.001 pages -f jsonl"), 0);
  std::vector<std::string> told;
  for (const json& record : watching.records())
    told.push_back(fmt::format("{} {} {} {}", record["round"].get<int>(),
                               record["name"].get<std::string>(),
                               record["change"].get<std::string>(), record["fields"].dump()));
  EXPECT_EQ(told, (std::vector<std::string>{"1 a first []", "1 b first []", "1 c first []",
                                            "2 b changed [\"value\"]", "2 d new []", "2 c gone []",
                                            "4 a gone []", "4 b gone []", "4 d gone []"}));
  EXPECT_TRUE(watching.records()[0].contains("time"));
  EXPECT_EQ(watching.errors.text(), "");
}

TEST(Watch, SendsUnchangedRecordsTooOnRequest) {
  Watching watching({shows({{"a", 1}}), shows({{"a", 1}})});
  EXPECT_EQ(watching.run("watch --every 0.001 --all pages -f jsonl"), 0);
  ASSERT_EQ(watching.records().size(), 2u);
  EXPECT_EQ(watching.records()[1]["change"], "same");
}

TEST(Watch, EndsWithStatusZeroAfterCtrlCAndClosesTheStream) {
  Watching watching({shows({{"a", 1}})});
  EXPECT_EQ(watching.run("watch pages -f json"), 0);
  EXPECT_EQ(json::parse(watching.out.text()).size(), 1u);
  // What comes next is not interrupted, too.
  EXPECT_FALSE(watching.interrupted_after());
}

TEST(Watch, EndsWhenItsTimeIsUp) {
  Watching watching(std::vector<Round>(1000, shows({{"a", 1}})));
  EXPECT_EQ(watching.run("watch --every 0.01 --for 0.035 pages -f jsonl --all"), 0);
  EXPECT_GE(watching.records().size(), 1u);
  EXPECT_LE(watching.records().size(), 4u);
}

TEST(Watch, DropsARoundThatCtrlCCutsOff) {
  Watching watching({shows({{"a", 1}}), [](RowSink& rows) {
                       rows.add({{std::string("a"), std::uint64_t{2}}});
                       set_interrupted();
                       rows.add({{std::string("b"), std::uint64_t{2}}});
                     }});
  EXPECT_EQ(watching.run("watch --every 0.001 pages -f jsonl"), 0);
  EXPECT_EQ(watching.records().size(), 1u);
}

TEST(Watch, PutsSignsBeforeTheRowsOfATable) {
  Watching watching({shows({{"a", 1}, {"b", 1}}), shows({{"a", 2}, {"c", 1}})});
  EXPECT_EQ(watching.run("watch --every 0.001 pages -o +round"), 0);
  std::vector<std::string> rows;
  std::istringstream lines(watching.out.text());
  for (std::string line; std::getline(lines, line);)
    rows.push_back(line.substr(std::min<std::size_t>(line.find("Z  ") + 1, line.size())));
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_THAT(rows[1], HasSubstr("    a         1      1"));
  EXPECT_THAT(rows[3], HasSubstr("  *  a         2      2"));
  EXPECT_THAT(rows[4], HasSubstr("  +  c         1      2"));
  EXPECT_THAT(rows[5], HasSubstr("  -  b         1      2"));
}

TEST(Watch, RedrawsATerminalAndMarksTheCellsThatChanged) {
  Watching watching({shows({{"a", 1}, {"b", 1}}), shows({{"a", 2}, {"b", 1}})});
  watching.console.terminal = watching.console.color = true;
  EXPECT_EQ(watching.run("watch --every 0.001 pages"), 0);
  const std::string& text = watching.out.text();
  const std::size_t second = text.rfind("\x1b[H\x1b[2J");
  ASSERT_NE(second, 0u);
  const std::string screen = text.substr(second);
  EXPECT_THAT(screen, HasSubstr("Every 0.001 s: pages   round 2, "));
  EXPECT_THAT(screen, HasSubstr("1 changed, 0 new, 0 gone"));
  EXPECT_THAT(screen, HasSubstr("*  a         \x1b[7m2\x1b[0m\n"));
  // Rows that are as they were stay on the screen.
  EXPECT_THAT(screen, HasSubstr("   b         1\n"));
}

TEST(Watch, ShowsWhatChangedFirstWhenTheScreenIsFull) {
  std::vector<std::pair<std::string, std::uint64_t>> before;
  for (int i = 0; i < 100; ++i) before.emplace_back(fmt::format("row{}", i), 1);
  auto after = before;
  after[99].second = 2;
  Watching watching({shows(before), shows(after)});
  watching.console.terminal = true;
  EXPECT_EQ(watching.run("watch --every 0.001 pages"), 0);
  const std::string& text = watching.out.text();
  const std::string screen = text.substr(text.rfind("\x1b[H\x1b[2J"));
  EXPECT_THAT(screen, HasSubstr("row99"));
  EXPECT_EQ(screen.find("row98"), std::string::npos);
  EXPECT_THAT(screen, HasSubstr("… and "));
  EXPECT_LE(std::count(screen.begin(), screen.end(), '\n'), 24);
}

TEST(Watch, SortsEachRound) {
  Watching watching({shows({{"a", 1}, {"b", 2}}), shows({{"a", 3}, {"b", 4}})});
  EXPECT_EQ(watching.run("watch --every 0.001 pages --sort -value -f jsonl"), 0);
  std::vector<std::uint64_t> values;
  for (const json& record : watching.records()) values.push_back(record["value"]);
  EXPECT_EQ(values, (std::vector<std::uint64_t>{2, 1, 4, 3}));
}

TEST(Watch, ReportsAFailureOfALaterRoundAndGoesOn) {
  const Round fails = [](RowSink&) { throw Error(ErrorKind::usage, "no VM '0'"); };
  Watching watching({shows({{"a", 1}}), fails, fails, shows({{"a", 1}})});
  EXPECT_EQ(watching.run("watch --every 0.001 pages 0 -f jsonl"), 0);
  std::vector<std::string> changes;
  for (const json& record : watching.records()) changes.push_back(record["change"]);
  EXPECT_EQ(changes, (std::vector<std::string>{"first", "gone", "new"}));
  EXPECT_EQ(watching.errors.text(), "kvmscope: note: round 2: no VM '0'\n");
}

TEST(Watch, EndsWithAFailureOfTheFirstRound) {
  Watching watching({[](RowSink&) { throw Error(ErrorKind::usage, "no VM '7'"); }});
  EXPECT_EQ(watching.run("watch pages 7"), 2);
  EXPECT_EQ(watching.errors.text(), "kvmscope: no VM '7'\n");
}

TEST(Watch, RefusesWhatCannotBeWatched) {
  const std::pair<const char*, const char*> cases[] = {
      {"watch", "COMMAND is missing"},
      {"watch nonsense", "unknown command 'nonsense'"},
      {"watch quit", "quit has no records"},
      {"watch watch pages", "watch has no records"},
      {"watch pages -f tree", "has no tree"},
      {"watch pages 1 2", "too many arguments"},
      {"watch --every 0 pages", "'0' is not a number of seconds"},
      {"watch --for nan pages", "'nan' is not a number of seconds"},
      {"watch --every -1 pages", "'-1' is not a number of seconds"},
      {"watch --hz 10 pages", "--hz samples roots, not pages"}};
  for (const auto& [line, words] : cases) {
    Watching watching({shows({})});
    EXPECT_EQ(watching.run(line), 2) << line;
    EXPECT_THAT(watching.errors.text(), HasSubstr(words)) << line;
  }
}

TEST(Watch, PointsAtTheWrongWordOfTheInnerLine) {
  Watching watching({shows({})});
  EXPECT_EQ(watching.run("watch pages --levl 2"), 2);
  EXPECT_THAT(watching.errors.text(), HasSubstr("  watch pages --levl 2\n              ^\n"));
}

TEST(Watch, CompletesTheInnerLine) {
  const std::vector<Command> commands = catalogue();
  FakeFinder finder;
  Output out;
  Messages messages(out, false, false);
  Console console{.out = &out, .messages = messages};
  Session session({}, finder, commands, console);
  const auto all = [&](std::string_view line) {
    return complete(session, line, line.size()).candidates;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(all("watch ro"), Names{"roots"});
  EXPECT_EQ(all("watch --every 2 slo"), Names{"slots"});
  EXPECT_EQ(all("watch pages --lev"), Names{"--level"});
  EXPECT_EQ(all("watch roots --h"), Names{"--hz"});
  EXPECT_EQ(all("watch --ev"), Names{"--every"});
  EXPECT_EQ(all("watch pages -f jsonl"), Names{"jsonl"});
}

TEST(Ticks, ComeInTimeAndLeaveOutThoseThatPassed) {
  Ticks ticks(10ms, 100ms);
  ASSERT_TRUE(ticks.wait());
  EXPECT_EQ(ticks.time(), 0ms);
  std::this_thread::sleep_for(35ms);
  ASSERT_TRUE(ticks.wait());
  EXPECT_GE(ticks.time(), 30ms);
  EXPECT_GE(ticks.left_out(), 2u);
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(ticks.wait());
}

}  // namespace
}  // namespace kvmscope
