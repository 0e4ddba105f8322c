// Hits, misses and causes, from the order in which KVM's functions are called.

#include "commands/trace/load_counts.hpp"

#include <gtest/gtest.h>

namespace kvmscope::tracing {
namespace {

// In a call of switched() or dropped(): the vCPU had a root then, or none.
constexpr bool root = true;
constexpr bool none = false;

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t at = 7'000 * ms;

TEST(LoadCounts, ASwitchWithoutALoadIsAHit) {
  VcpuLoads vcpu;
  EXPECT_FALSE(vcpu.switched(root, at)) << "its effect is not known yet";
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(vcpu.switched(root, at));
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 3, .hits = 3}));
}

TEST(LoadCounts, ASwitchWithALoadIsAMiss) {
  VcpuLoads vcpu;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(vcpu.switched(root, at));
    EXPECT_TRUE(vcpu.loaded());
  }
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 3, .misses = 3, .loads = 3}));
}

TEST(LoadCounts, OnlyTheLastSwitchBeforeALoadIsTheMiss) {
  VcpuLoads vcpu;
  vcpu.switched(root, at);
  vcpu.switched(root, at);
  vcpu.loaded();
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 2, .hits = 1, .misses = 1, .loads = 1}));
}

TEST(LoadCounts, ASwitchThatTheNextOneFindsWithoutARootWasAMiss) {
  VcpuLoads vcpu;
  vcpu.switched(root, at);
  vcpu.switched(none, at);
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 1, .misses = 1}));
}

TEST(LoadCounts, ALoadAfterTheRootWasDroppedHasThatCause) {
  VcpuLoads vcpu;
  vcpu.switched(root, at);
  EXPECT_TRUE(vcpu.dropped(Cause::obsolete, root)) << "the switch had found its root";
  EXPECT_FALSE(vcpu.loaded());
  LoadCounts expected{.switches = 1, .hits = 1, .loads = 1};
  expected.of(Cause::obsolete) = 1;
  EXPECT_EQ(vcpu.total(), expected);
}

TEST(LoadCounts, WhatFindsNoRootIsNotTheCause) {
  VcpuLoads vcpu;
  vcpu.switched(root, at);
  vcpu.dropped(Cause::obsolete, none);
  vcpu.loaded();
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 1, .misses = 1, .loads = 1}));
}

TEST(LoadCounts, TheFirstLoadOfANewVcpuIsOfItsReset) {
  VcpuLoads vcpu;
  vcpu.dropped(Cause::reset, none);
  vcpu.dropped(Cause::unload, none);
  vcpu.loaded();
  LoadCounts expected{.loads = 1};
  expected.of(Cause::reset) = 1;
  EXPECT_EQ(vcpu.total(), expected);
}

TEST(LoadCounts, AResetUnloadsAndIsTheCause) {
  VcpuLoads vcpu;
  vcpu.dropped(Cause::reset, root);
  vcpu.dropped(Cause::unload, root);
  vcpu.loaded();
  vcpu.dropped(Cause::unload, root);
  vcpu.loaded();
  LoadCounts expected{.loads = 2};
  expected.of(Cause::reset) = 1;
  expected.of(Cause::unload) = 1;
  EXPECT_EQ(vcpu.total(), expected);
}

TEST(LoadCounts, ACauseThatDroppedNothingIsForgottenAtTheNextSwitch) {
  VcpuLoads vcpu;
  vcpu.dropped(Cause::obsolete, root);  // the root was not obsolete
  vcpu.switched(root, at);
  vcpu.loaded();
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 1, .misses = 1, .loads = 1}));
}

TEST(LoadCounts, ALoadOutOfNowhereIsUnknown) {
  VcpuLoads vcpu;
  vcpu.loaded();
  LoadCounts expected{.loads = 1};
  expected.of(Cause::unknown) = 1;
  EXPECT_EQ(vcpu.total(), expected);
}

TEST(LoadCounts, ArePartedIntoSecondsThatAddUp) {
  VcpuLoads vcpu;
  vcpu.switched(root, at);
  vcpu.loaded();
  vcpu.switched(root, at);
  LoadCounts sum = vcpu.take();
  EXPECT_EQ(sum, (LoadCounts{.switches = 1, .misses = 1, .loads = 1}));
  vcpu.switched(root, at);
  vcpu.loaded();
  sum += vcpu.take();
  EXPECT_EQ(sum, vcpu.total());
  EXPECT_EQ(sum, (LoadCounts{.switches = 3, .hits = 1, .misses = 2, .loads = 2}));
  EXPECT_EQ(vcpu.take(), LoadCounts());
}

TEST(LoadCounts, ASwitchWithoutAnEffectForLongIsAHit) {
  VcpuLoads vcpu;
  vcpu.switched(root, at);
  vcpu.rest(at - 1);
  EXPECT_EQ(vcpu.total(), LoadCounts()) << "its load may still come";
  vcpu.rest(at);
  vcpu.rest(at + ms);
  EXPECT_EQ(vcpu.take(), (LoadCounts{.switches = 1, .hits = 1}));
  vcpu.switched(root, at + 300 * ms);
  EXPECT_EQ(vcpu.take(), LoadCounts()) << "it is not counted twice";
}

TEST(LoadCounts, InAllAreRightEvenIfASwitchTookLongToMiss) {
  VcpuLoads vcpu;
  vcpu.switched(root, at);
  vcpu.rest(at);
  vcpu.take();
  vcpu.loaded();  // the thread had to wait in between
  EXPECT_EQ(vcpu.take(), (LoadCounts{.misses = 1, .loads = 1}));
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 1, .misses = 1, .loads = 1}));
}

}  // namespace
}  // namespace kvmscope::tracing
