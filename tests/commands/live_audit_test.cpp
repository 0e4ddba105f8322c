// audit of a kernel that runs: what stays is a fault, what does not is none.

#include "tests/commands/live_fixture.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;

constexpr const char* line = "audit 0 --rule unsync-children,used-pages";

TEST_F(Live, AuditFindsNothingInAVmThatIsSound) {
  const FakeOutcome outcome = live.run(line);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, json::array());
}

TEST_F(Live, AuditFindsAFaultThatStays) {
  set(scenario.two, "unsync_children", 7);
  const FakeOutcome outcome = live.run(line);
  EXPECT_EQ(outcome.status, 1);
  ASSERT_EQ(outcome.records.size(), 1U);
  EXPECT_EQ(outcome.records[0]["truth"], "stable");
  EXPECT_EQ(outcome.records[0]["unstable"], false);
}

TEST_F(Live, AuditForgetsWhatWasHalfOfAChange) {
  set(scenario.two, "unsync_children", 7);
  unsigned reads = 0;
  live.before_each_read_of(member(scenario.two, "unsync_children"), [&] {
    if (++reads == 2) set(scenario.two, "unsync_children", 1);
  });
  const FakeOutcome outcome = live.run(line);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, json::array());
}

TEST_F(Live, AuditIsNotSureOfWhatIsNotTheSameEachTime) {
  std::uint64_t count = 7;
  live.before_each_read_of(member(scenario.two, "unsync_children"),
                           [&] { set(scenario.two, "unsync_children", ++count); });
  const FakeOutcome outcome = live.run(line);
  EXPECT_EQ(outcome.status, 0);
  ASSERT_EQ(outcome.records.size(), 1U);
  EXPECT_EQ(outcome.records[0]["truth"], "torn");
  EXPECT_EQ(outcome.records[0]["unstable"], true);
}

}  // namespace
}  // namespace kvmscope
