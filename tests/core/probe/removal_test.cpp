// Cleaning up: in the order that the kernel wants, and only what is ours and dead.

#include "core/probe/removal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_tracefs.hpp"

namespace kvmscope::probe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* ours = "kvmscope_10_20";

// A run that was killed while it recorded.
void arm(FakeTracefs& tracefs, const std::string& name) {
  tracefs.add_event(name, "load");
  tracefs.add_event(name, "switch");
  tracefs.add_instance(name);
  for (const char* event : {"load", "switch"})
    ASSERT_EQ(tracefs.write("instances/" + name + "/events/" + name + '/' + event + "/enable", "1"),
              0);
}

TEST(Removal, LeavesTracefsAsItWas) {
  FakeTracefs tracefs;
  tracefs.add_event("somebody", "load");
  tracefs.add_instance("theirs");
  const std::string before = tracefs.state();
  arm(tracefs, ours);
  EXPECT_NE(tracefs.state(), before);
  EXPECT_THAT(remove_run(tracefs, ours, 0), IsEmpty());
  EXPECT_EQ(tracefs.state(), before);
}

TEST(Removal, DisablesBeforeItRemovesTheInstanceAndThenTheEvents) {
  FakeTracefs tracefs;
  arm(tracefs, ours);
  const std::size_t before = tracefs.done().size();
  remove_run(tracefs, ours, 0);
  const std::vector<std::string> done(tracefs.done().begin() + static_cast<long>(before),
                                      tracefs.done().end());
  EXPECT_THAT(
      done, ElementsAre("0 > instances/kvmscope_10_20/tracing_on",
                        "0 > instances/kvmscope_10_20/events/enable",
                        "rmdir instances/kvmscope_10_20", "-:kvmscope_10_20/load >> kprobe_events",
                        "-:kvmscope_10_20/switch >> kprobe_events"));
}

TEST(Removal, WaitsForWhoeverStillReads) {
  FakeTracefs tracefs;
  arm(tracefs, ours);
  tracefs.hold(ours, 3);
  EXPECT_THAT(remove_run(tracefs, ours, 1000), IsEmpty());
  EXPECT_EQ(tracefs.state(), "");
}

TEST(Removal, SaysWhatItCouldNotRemoveAndRemovesTheRest) {
  FakeTracefs tracefs;
  arm(tracefs, ours);
  tracefs.hold(ours, 1U << 30);
  EXPECT_THAT(remove_run(tracefs, ours, 0),
              ElementsAre(HasSubstr("instances/kvmscope_10_20: Device or resource busy")));
  EXPECT_EQ(tracefs.state(), "kvmscope_10_20:\n");
}

TEST(Removal, OfWhatIsNotThereIsFine) {
  FakeTracefs tracefs;
  EXPECT_THAT(remove_run(tracefs, ours, 0), IsEmpty());
}

TEST(Leftovers, AreOfDeadRunsOnly) {
  FakeTracefs tracefs;
  arm(tracefs, "kvmscope_10_20");
  arm(tracefs, "kvmscope_11_20");
  tracefs.add_event("kvmscope_12_20", "load");  // its instance is gone already
  tracefs.add_instance("kvmscope_13_20");       // it was killed before its first event
  tracefs.add_instance("kvmscope_x");
  tracefs.add_event("perf_12_20", "load");
  const auto runs = [](const RunName& name) { return name.pid == 11; };
  EXPECT_THAT(left_behind(tracefs, runs),
              ElementsAre("kvmscope_10_20", "kvmscope_12_20", "kvmscope_13_20"));
}

}  // namespace
}  // namespace kvmscope::probe
