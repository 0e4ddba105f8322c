// How a trace begins and ends, in a tracefs that keeps the kernel's rules.

#include "commands/trace/runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "core/base/interrupt.hpp"
#include "tests/commands/shell/shell.hpp"
#include "tests/support/fake_tracefs.hpp"

namespace kvmscope::tracing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Plan plan{
    .probes = {
        {.event = "load", .place = "kvm:kvm_mmu_load", .args = {{.field = "id", .fetch = "%di"}}}}};
constexpr std::uint16_t first_id = 1000;  // what the fake kernel gives to the first event

// Prints each hit, and does what a test wants at one.
class Printer : public Listener {
 public:
  explicit Printer(RowSink& rows) : rows_(rows) {}
  bool hit(const probe::Hit& hit) override {
    rows_.add({{std::string("id"), fmt::format("{}", hit.values[0])}});
    if (at_hit) at_hit();
    return true;
  }
  void finish() override { rows_.add({{std::string("end"), std::string("of hits")}}); }

  static inline std::function<void()> at_hit;

 private:
  RowSink& rows_;
};

// A shell with one command that runs the plan.
class Traces : public testing::Test {
 protected:
  Traces() {
    Command command;
    command.names = {"t"};
    command.needs = Needs::nothing;
    command.options = with_run_options({});
    command.columns = {{"name", ColumnKind::text, ""}, {"value", ColumnKind::text, ""}};
    command.modes = {dry_run_mode()};
    command.run = [this](Session& session, const Arguments& args, RowSink& rows) {
      Printer printer(rows);
      run_in(tracefs, session, args, rows, plan, printer);
    };
    shell.commands.push_back(std::move(command));
    tracefs.add_event("somebody", "load");
    clear_interrupted();
  }
  ~Traces() override {
    clear_interrupted();
    Printer::at_hit = nullptr;
  }

  // Recorded by the time that we look.
  void record(const std::vector<std::uint64_t>& values) {
    TracePage page(1000);
    for (const std::uint64_t value : values) page.event(1000, event_data(first_id + 1, 1, {value}));
    tracefs.put_page(0, page.bytes());
  }
  int run(std::string_view line) {
    before = tracefs.state();
    return shell.run(line);
  }

  FakeTracefs tracefs;
  Shell shell;
  std::string before;
};

TEST_F(Traces, EndWithForAndSayWhatTheySaw) {
  record({7, 8});
  EXPECT_EQ(run("t --yes --for 1 -f jsonl"), 0);
  EXPECT_THAT(shell.out.text(),
              ::testing::MatchesRegex("\\{\"name\": \"id\", \"value\": \"7\"\\}\n"
                                      "\\{\"name\": \"id\", \"value\": \"8\"\\}\n"
                                      "\\{\"name\": \"end\", \"value\": \"of hits\"\\}\n"
                                      "\\{\"end\": true, \"reason\": \"for\", \"ms\": 1[0-9]*, "
                                      "\"events\": 2, \"lost\": 0, \"missed\": 0\\}\n"));
  EXPECT_EQ(tracefs.state(), before);
}

TEST_F(Traces, EndAfterSoManyEvents) {
  record({1, 2, 3, 4});
  EXPECT_EQ(run("t --yes --count 3 -f csv"), 0);
  EXPECT_EQ(shell.out.text(), "name,value\nid,1\nid,2\nid,3\nend,of hits\n");
  EXPECT_THAT(shell.errors.text(), HasSubstr("4 events in 0."));
  EXPECT_THAT(shell.errors.text(), HasSubstr("0 lost; --count is reached"));
  EXPECT_EQ(tracefs.state(), before);
}

TEST_F(Traces, EndWithCtrlCAndShowWhatWasRecordedUntilThen) {
  record({1, 2, 3});
  Printer::at_hit = [first = true]() mutable {
    if (first) set_interrupted();
    first = false;
  };
  EXPECT_EQ(run("t --yes -f jsonl"), 0);
  EXPECT_THAT(shell.out.text(), HasSubstr("\"value\": \"3\""));
  EXPECT_THAT(shell.out.text(), HasSubstr("\"reason\": \"interrupted\", "));
  EXPECT_EQ(tracefs.state(), before);
  EXPECT_FALSE(shell.session.quitting());
}

TEST_F(Traces, AreDisarmedBeforeTheRestIsShown) {
  record({1, 2, 3});
  std::vector<std::string> states;
  Printer::at_hit = [&] {
    set_interrupted();
    states.push_back(tracefs.state());
  };
  EXPECT_EQ(run("t --yes -f jsonl"), 4) << "the second Ctrl-C ends the rest, too";
  ASSERT_EQ(states.size(), 2U);
  EXPECT_NE(states[0], before);
  EXPECT_EQ(states[1], before);
  EXPECT_THAT(shell.out.text(), HasSubstr("\"reason\": \"interrupted\", "));
  EXPECT_THAT(shell.out.text(), HasSubstr("\"lost\": 1, "));
}

TEST_F(Traces, EndWithSigtermAsWithCtrlCAndThenTheSessionEnds) {
  record({1});
  Printer::at_hit = [] { raise(SIGTERM); };
  EXPECT_EQ(run("t --yes -f jsonl"), 0);
  EXPECT_THAT(shell.out.text(), HasSubstr("\"reason\": \"terminated\", "));
  EXPECT_EQ(tracefs.state(), before);
  EXPECT_TRUE(shell.session.quitting());
}

TEST_F(Traces, AreNotReadAtIdlePriority) {
  const int before_all = sched_getscheduler(0);
  const struct sched_param none {};
  // As main() does; the child has the rest of the program at a priority of its own.
  EXPECT_EXIT(
      {
        constexpr int idle = SCHED_IDLE | SCHED_RESET_ON_FORK;
        if (sched_setscheduler(0, idle, &none) != 0) _exit(0);
        // Without the right to it nobody leaves the idle priority.
        if (sched_setscheduler(0, SCHED_OTHER, &none) != 0) _exit(0);
        sched_setscheduler(0, idle, &none);
        int seen = idle;
        Printer::at_hit = [&] {
          seen = sched_getscheduler(0);
          set_interrupted();
        };
        record({1});
        run("t --yes");
        _exit((seen & ~SCHED_RESET_ON_FORK) == SCHED_OTHER && sched_getscheduler(0) == idle ? 0
                                                                                            : 1);
      },
      testing::ExitedWithCode(0), "");
  EXPECT_EQ(sched_getscheduler(0), before_all);
}

TEST_F(Traces, EndWithAnErrorAndLeaveNothingBehind) {
  record({1});
  Printer::at_hit = [] { throw Error(ErrorKind::corrupt, "no sense"); };
  EXPECT_EQ(run("t --yes"), 5);
  EXPECT_EQ(tracefs.state(), before);
  EXPECT_EQ(shell.errors.text().substr(shell.errors.text().rfind("kvmscope")),
            "kvmscope: no sense\n");
}

TEST_F(Traces, ARefusedProbeIsAnErrorThatLeavesNothingBehind) {
  tracefs.refuse("kvm:kvm_mmu_load", ENOENT, "Invalid probed address or symbol");
  EXPECT_EQ(run("t --yes"), 3);
  EXPECT_THAT(shell.errors.text(), HasSubstr("the kernel has no such function"));
  EXPECT_EQ(tracefs.state(), before);
}

TEST_F(Traces, DisarmThemselvesBeyondTheRate) {
  record({1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(run("t --yes --max-rate 5 -f jsonl"), 4);
  EXPECT_THAT(shell.out.text(), HasSubstr("\"reason\": \"max-rate\", "));
  EXPECT_THAT(shell.out.text(), HasSubstr("\"events\": 9, "));
  EXPECT_EQ(tracefs.state(), before);
}

TEST_F(Traces, SayWhatTheyLost) {
  tracefs.set_stats(1, "entries: 0\noverrun: 17\n");
  tracefs.set_missed("load", 2);
  set_interrupted();
  EXPECT_EQ(run("t --yes -f jsonl"), 4);
  EXPECT_THAT(shell.out.text(), HasSubstr("\"lost\": 17, \"missed\": 2}"));
  EXPECT_THAT(shell.errors.text(), HasSubstr("2 hits were missed"));
}

TEST_F(Traces, SayWhatTheyAddAndWantToBeToldSo) {
  if (isatty(STDIN_FILENO) != 0) GTEST_SKIP() << "it asks on a terminal";
  EXPECT_EQ(run("t --for 1"), 2);
  EXPECT_THAT(shell.errors.text(), HasSubstr("adds to /fake/tracing, and removes again:\n  p:"));
  EXPECT_THAT(shell.errors.text(), HasSubstr("say --yes, or --dry-run to only look"));
  EXPECT_EQ(tracefs.state(), before);
}

TEST_F(Traces, OnlyShowWhatTheyWouldAddWithDryRun) {
  EXPECT_EQ(run("t --dry-run"), 0);
  EXPECT_THAT(shell.out.text(),
              ::testing::MatchesRegex("p:kvmscope_[0-9]+_[0-9]+/load kvm:kvm_mmu_load id=%di\n"));
  EXPECT_EQ(tracefs.state(), before);
  EXPECT_THAT(tracefs.done(), Not(::testing::Contains(HasSubstr("mkdir"))));
}

TEST_F(Traces, RemoveWhatAKilledRunLeftAndNotWhatOneUses) {
  tracefs.add_instance("kvmscope_1073741824_5");
  tracefs.add_event("kvmscope_1073741824_5", "load");
  tracefs.add_instance("kvmscope_1_x");
  set_interrupted();
  EXPECT_EQ(run("t --yes"), 0);
  EXPECT_EQ(tracefs.state(), "kvmscope_1_x:\np:somebody/load somewhere\n");
  EXPECT_THAT(shell.errors.text(), HasSubstr("note: removed what a killed run had left in tracefs: "
                                             "kvmscope_1073741824_5\n"));
}

TEST_F(Traces, OptionsThatMakeNoSenseAreErrors) {
  for (const char* line : {"t --yes --for 0", "t --yes --count 0", "t --yes --max-rate 0",
                           "t --yes --for 18446744073709551615"})
    EXPECT_EQ(run(line), 2) << line;
  EXPECT_EQ(tracefs.state(), before);
}

}  // namespace
}  // namespace kvmscope::tracing
