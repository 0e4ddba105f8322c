// Hits, misses and causes, from the order in which KVM's functions are called.

#include "commands/trace/load_counts.hpp"

#include <gtest/gtest.h>

namespace kvmscope::tracing {
namespace {

// In a call of switched() or dropped(): the vCPU had a root then, or none.
constexpr bool root = true;
constexpr bool none = false;

TEST(LoadCounts, ASwitchWithoutALoadIsAHit) {
  VcpuLoads vcpu;
  for (int i = 0; i < 4; ++i) vcpu.switched(root);
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 4, .hits = 4}));
}

TEST(LoadCounts, ASwitchWithALoadIsAMiss) {
  VcpuLoads vcpu;
  for (int i = 0; i < 3; ++i) {
    vcpu.switched(root);
    vcpu.loaded();
  }
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 3, .misses = 3, .loads = 3}));
}

TEST(LoadCounts, OnlyTheLastSwitchBeforeALoadIsTheMiss) {
  VcpuLoads vcpu;
  vcpu.switched(root);
  vcpu.switched(root);
  vcpu.loaded();
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 2, .hits = 1, .misses = 1, .loads = 1}));
}

TEST(LoadCounts, ASwitchThatTheNextOneFindsWithoutARootWasAMiss) {
  VcpuLoads vcpu;
  vcpu.switched(root);
  vcpu.switched(none);
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 2, .hits = 1, .misses = 1}));
}

TEST(LoadCounts, ALoadAfterTheRootWasDroppedHasThatCause) {
  VcpuLoads vcpu;
  vcpu.switched(root);
  vcpu.dropped(Cause::obsolete, root);
  vcpu.loaded();
  LoadCounts expected{.switches = 1, .hits = 1, .loads = 1};
  expected.of(Cause::obsolete) = 1;
  EXPECT_EQ(vcpu.total(), expected);
}

TEST(LoadCounts, WhatFindsNoRootIsNotTheCause) {
  VcpuLoads vcpu;
  vcpu.switched(root);
  vcpu.dropped(Cause::obsolete, none);
  vcpu.loaded();
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 1, .misses = 1, .loads = 1}));
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
  vcpu.switched(root);
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
  vcpu.switched(root);
  vcpu.loaded();
  vcpu.switched(root);
  LoadCounts sum = vcpu.take();
  EXPECT_EQ(sum, (LoadCounts{.switches = 2, .hits = 1, .misses = 1, .loads = 1}));
  vcpu.switched(root);
  vcpu.loaded();
  sum += vcpu.take();
  EXPECT_EQ(sum, vcpu.total());
  EXPECT_EQ(vcpu.take(), LoadCounts());
}

TEST(LoadCounts, InAllAreRightEvenIfASecondTookAMissForAHit) {
  VcpuLoads vcpu;
  vcpu.switched(root);
  EXPECT_EQ(vcpu.take(), (LoadCounts{.switches = 1, .hits = 1}));
  vcpu.loaded();  // the thread had to wait in between
  EXPECT_EQ(vcpu.take(), (LoadCounts{.misses = 1, .loads = 1}));
  EXPECT_EQ(vcpu.total(), (LoadCounts{.switches = 1, .misses = 1, .loads = 1}));
}

}  // namespace
}  // namespace kvmscope::tracing
