// Names of runs, and whether their process is still there.

#include "core/probe/run_name.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace kvmscope::probe {
namespace {

TEST(RunNames, HoldThePidAndTheStartTime) {
  const RunName name{4711, 123456};
  EXPECT_EQ(name.text(), "kvmscope_4711_123456");
  EXPECT_EQ(parse_run_name(name.text()), name);
}

TEST(RunNames, OfOthersAreNotOurs) {
  for (const char* text :
       {"kvmscope", "kvmscope_", "kvmscope_1", "kvmscope_1_", "kvmscope__2", "kvmscope_1_2_3",
        "kvmscope_01_2", "kvmscope_+1_2", "kvmscope_1_2 ", "Kvmscope_1_2", "kprobes",
        "kvmscope_a_b", "kvmscope_1_99999999999999999999"})
    EXPECT_EQ(parse_run_name(text), std::nullopt) << text;
}

TEST(RunNames, StartTimeStandsBehindACommandsNameOfAnyKind) {
  const std::string fields = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987 20 21";
  EXPECT_EQ(start_time_of("12 (bash)" + fields), 987U);
  EXPECT_EQ(start_time_of("12 (a) b) S 1 2 3 (c)" + fields), 987U);
  EXPECT_EQ(start_time_of(""), std::nullopt);
  EXPECT_EQ(start_time_of("12 (bash) S 1 2"), std::nullopt);
}

TEST(RunNames, TellWhetherTheirProcessRuns) {
  const RunName own = own_run_name();
  EXPECT_EQ(own.pid, getpid());
  EXPECT_TRUE(is_running(own));
  EXPECT_FALSE(is_running({own.pid, own.start_time + 1})) << "the pid is somebody else's now";
  EXPECT_FALSE(is_running({1 << 30, own.start_time}));
}

}  // namespace
}  // namespace kvmscope::probe
