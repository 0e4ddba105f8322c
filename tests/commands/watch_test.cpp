// watch: rounds of a command whose records change, and samples of roots that do.

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
#include "tests/support/fake_kernel_scenario.hpp"

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

// Physical memory that calls a hook for each read of one struct.
class HookedMemory : public PhysReader {
 public:
  HookedMemory(const PhysReader& memory, PhysAddr at, std::uint64_t size,
               std::function<void()> hook)
      : memory_(memory), at_(at), size_(size), hook_(std::move(hook)) {}
  void read(PhysAddr at, MutableBytes into) const override {
    if (at.value < at_.value + size_ && at_.value < at.value + into.size()) hook_();
    memory_.read(at, into);
  }

 private:
  const PhysReader& memory_;
  PhysAddr at_;
  std::uint64_t size_;
  std::function<void()> hook_;
};

class HookedDump : public FakeDump {
 public:
  HookedDump(FakeKernel& kernel, VirtAddr at, std::uint64_t size, std::function<void()> hook)
      : FakeDump(kernel.memory().physical(), kernel.vmcoreinfo()),
        memory_(kernel.memory().physical(), FakeMemory::phys(at), size, std::move(hook)) {}
  const PhysReader& memory() const override { return memory_; }

 private:
  HookedMemory memory_;
};

// Samples the vCPU of a scenario; `before_sample` runs with the number of each sample, from 0.
class SampledScenario {
 public:
  explicit SampledScenario(std::function<void(FakeScenario&, unsigned)> before_sample)
      : before_sample_(std::move(before_sample)) {
    scenario_.kernel.kernel();
  }
  ~SampledScenario() { clear_interrupted(); }

  // The record of the only vCPU.
  json run(const std::string& line) {
    const auto open = [this]() -> std::unique_ptr<Dump> {
      return std::make_unique<HookedDump>(scenario_.kernel, scenario_.vcpu.address(),
                                          scenario_.kernel.memory().size_of("kvm_vcpu"),
                                          [this] { on_read(); });
    };
    const std::vector<Command> commands = catalogue();
    Messages messages(errors, false, false);
    Console console{.out = &out, .messages = messages};
    Session session({"fake", open}, scenario_.kernel.finder(), commands, console);
    status = run_line(session, line);
    const json records = json::parse(out.text(), nullptr, false);
    return records.is_array() && records.size() == 1 ? records[0] : json();
  }

  Output out;
  Output errors;
  int status = -1;
  unsigned reads = 0;    // of the vCPU
  unsigned skipped = 0;  // the reads that find the vCPU, before sampling

 private:
  void on_read() {
    if (reads++ >= skipped) before_sample_(scenario_, reads - 1 - skipped);
  }

  FakeScenario scenario_;
  std::function<void(FakeScenario&, unsigned)> before_sample_;
};

// How many reads it takes to find the vCPUs, before the first sample.
unsigned reads_before_sampling() {
  SampledScenario sampled([](FakeScenario&, unsigned) {});
  sampled.run("watch roots --hz 1000 --for 0.001 -f json");
  return sampled.reads - 1;
}

TEST(WatchRoots, TellsKnownRootsFromNewOnesWithOneReadForEachSample) {
  SampledScenario sampled([](FakeScenario& scenario, unsigned number) {
    const FakePage third = scenario.vm.add_page({.level = 4, .gfn = 0x300});
    // prev0 becomes current and back, then a root that was nowhere.
    if (number == 1) {
      scenario.vcpu.run_on(scenario.root, 0x10f000);
      scenario.vcpu.keep(0, scenario.current, 0x11e000);
    } else if (number == 2) {
      scenario.vcpu.run_on(scenario.current, 0x11e000);
      scenario.vcpu.keep(0, scenario.root, 0x10f000);
    } else if (number == 4) {
      scenario.vcpu.run_on(third, 0x300000);
    } else if (number == 5) {
      set_interrupted();
    }
  });
  sampled.skipped = reads_before_sampling();
  const json record = sampled.run("watch roots --hz 1000 -f json");
  EXPECT_EQ(sampled.status, 0) << sampled.errors.text();
  ASSERT_TRUE(record.is_object()) << sampled.out.text();
  EXPECT_EQ(record["samples"], 6);
  EXPECT_EQ(sampled.reads - sampled.skipped, 6u);
  EXPECT_EQ(record["changes"], 3);
  EXPECT_EQ(record["known"], 2);
  EXPECT_EQ(record["new"], 1);
  EXPECT_EQ(record["roots"], 3);
  EXPECT_EQ(record["cr3s"], 3);
  EXPECT_EQ(record["seen"][0]["pgd"], "0x11e000");
  EXPECT_THAT(record["timeline"].get<std::string>(), testing::MatchesRegex("AB[.]*A[A.]*C[C.]*"));
  EXPECT_TRUE(record["ended"].is_null());
  EXPECT_THAT(sampled.errors.text(), HasSubstr("stays shorter than 1 ms, the time from one sample "
                                               "to the next, are not seen"));
}

TEST(WatchRoots, NeverCallsItsCountsHitsOrMisses) {
  SampledScenario sampled([](FakeScenario&, unsigned) {});
  sampled.run("watch roots 0 --hz 1000 --for 0.003");
  EXPECT_THAT(sampled.out.text(), HasSubstr(" samples, one every 1 ms"));
  EXPECT_THAT(sampled.out.text(), HasSubstr("0 changes: 0 KNOWN, 0 NEW"));
  EXPECT_THAT(sampled.out.text(), HasSubstr("timeline  A"));
  for (const char* word : {"hit", "miss"})
    EXPECT_EQ(sampled.out.text().find(word), std::string::npos);
}

TEST(WatchRoots, ReportsAVmThatGoesAway) {
  SampledScenario sampled([](FakeScenario& scenario, unsigned number) {
    if (number != 3) return;
    // list_del() and free.
    scenario.vm.set("vm_list.next", 0xdead000000000100);
    scenario.vcpu.set("kvm", 0);
  });
  sampled.skipped = reads_before_sampling();
  const json record = sampled.run("watch roots --hz 1000 --for 20 -f json");
  EXPECT_EQ(sampled.status, 0);
  ASSERT_TRUE(record.is_object()) << sampled.out.text() << sampled.errors.text();
  EXPECT_EQ(record["samples"], 3);
  EXPECT_GT(record["unreadable"], 0);
  EXPECT_THAT(record["ended"].get<std::string>(), HasSubstr("its VM went away within "));
}

TEST(WatchRoots, WantsASensibleRate) {
  for (const char* line : {"watch roots --hz 0", "watch roots --hz 10001", "watch roots --hz x"}) {
    SampledScenario sampled([](FakeScenario&, unsigned) {});
    sampled.run(line);
    EXPECT_EQ(sampled.status, 2) << line;
  }
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
