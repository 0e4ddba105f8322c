// Walks and steps put together again, from hits that the test makes up.

#include "commands/trace/unsync_batches.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "commands/trace/unsync_filter.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_types.hpp"

namespace kvmscope::tracing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint64_t garbage = 0xdeadbeef;
constexpr std::uint64_t invalid_index = 0xffffffff;  // as the kernel records it: 32 bits
constexpr std::uint64_t kvm_address = 0xffff888000001000;
constexpr std::uint64_t second = 1'000'000'000;

std::uint64_t sp(unsigned i) {
  return 0xffff888000100000 + i * 0x100;
}

// mmu_zap_unsync_children knows i (one too high in its register), mmu_sync_children sp alone.
UnsyncPlan made_plan() {
  UnsyncPlan plan;
  const auto add = [&](UnsyncProbe meaning, std::size_t args) {
    plan.meanings.push_back(std::move(meaning));
    plan.probes.push_back({.event = "e", .place = "kvm:f"});
    plan.probes.back().args.resize(args);
  };
  using Kind = UnsyncProbe::Kind;
  add({.function = "mmu_zap_unsync_children", .kvm = 65, .first = 0, .groups = 16}, 66);
  add({.kind = Kind::step, .function = "mmu_zap_unsync_children", .groups = 5, .i = 20}, 21);
  add({.function = "mmu_sync_children", .kvm = 65, .vcpu = 66, .first = 0, .groups = 16}, 67);
  add({.kind = Kind::step, .function = "mmu_sync_children", .groups = 5, .sp = 20}, 21);
  plan.probes[1].args[20].addend = static_cast<std::uint64_t>(-1);
  plan.probes[1].args[20].bits = 32;
  return plan;
}

constexpr std::size_t zap_walk = 0, zap_step = 1, sync_walk = 2, sync_step = 3;

class UnsyncBatchesTest : public testing::Test {
 protected:
  probe::Hit walk(std::size_t probe, std::vector<unsigned> levels, std::uint64_t nr,
                  std::int32_t tid = 7) {
    probe::Hit hit{.probe = probe, .time_ns = now_ += 1000, .tid = tid, .values = {nr}};
    for (unsigned i = 0; i < 16; ++i) {
      const bool is_in = i < levels.size();
      const std::uint64_t idx = i == 0 ? invalid_index : i;
      hit.values.insert(hit.values.end(),
                        {is_in ? sp(i) : garbage, is_in ? idx : garbage,
                         is_in ? levels[i] : garbage, is_in ? 0x110 + i : garbage});
    }
    hit.values.push_back(kvm_address);
    if (probe == sync_walk) hit.values.push_back(3);
    return hit;
  }
  // `path`: indexes of the parents in the batch.
  probe::Hit step(std::size_t probe, std::uint64_t last, std::vector<unsigned> path,
                  std::int32_t tid = 7) {
    probe::Hit hit{.probe = probe, .time_ns = now_ += 1000, .tid = tid};
    for (unsigned i = 0; i < 5; ++i) {
      const bool is_in = i < path.size();
      const bool is_end = i == path.size();
      hit.values.insert(hit.values.end(), {is_in    ? sp(path[i])
                                           : is_end ? 0
                                                    : garbage,
                                           is_in ? i : garbage, is_in ? i + 2 : garbage,
                                           is_in ? 0x110 + path[i] : garbage});
    }
    hit.values.push_back(last);
    return hit;
  }

  std::vector<unsigned> levels(const TracedBatch& traced) {
    std::vector<unsigned> levels;
    for (const kvm::UnsyncPage& page : traced.batch.pages) levels.push_back(page.level);
    return levels;
  }
  std::vector<std::uint64_t> steps(const TracedBatch& traced) {
    std::vector<std::uint64_t> at;
    for (const kvm::UnsyncStep& step : traced.batch.steps) at.push_back(step.at);
    return at;
  }

  UnsyncPlan plan_ = made_plan();
  UnsyncBatches batches_{plan_};
  std::uint64_t now_ = 50 * second;
};

TEST_F(UnsyncBatchesTest, ABatchIsCompleteWithItsLastStep) {
  EXPECT_THAT(batches_.add(walk(zap_walk, {4, 3, 2, 1, 1, 1, 3, 2, 1}, 9)), IsEmpty());
  // The register holds i + 1.
  EXPECT_THAT(batches_.add(step(zap_step, 4, {2, 1, 0})), IsEmpty());
  EXPECT_THAT(batches_.add(step(zap_step, 5, {2, 1, 0})), IsEmpty());
  EXPECT_THAT(batches_.add(step(zap_step, 6, {2, 1, 0})), IsEmpty());
  const std::vector<TracedBatch> complete = batches_.add(step(zap_step, 9, {7, 6, 0}));
  ASSERT_THAT(complete, SizeIs(1));
  const TracedBatch& traced = complete.front();
  EXPECT_THAT(levels(traced), ElementsAre(4, 3, 2, 1, 1, 1, 3, 2, 1));
  EXPECT_THAT(steps(traced), ElementsAre(3, 4, 5, 8));
  EXPECT_EQ(traced.function, "mmu_zap_unsync_children");
  EXPECT_EQ(traced.kvm, kvm_address);
  EXPECT_EQ(traced.vcpu, std::nullopt);
  EXPECT_EQ(traced.batch.pages.front().idx, -1);
  EXPECT_EQ(traced.batch.pages[4].idx, 4);
  EXPECT_EQ(traced.batch.pages[4].gfn.value, 0x114u);
  EXPECT_THAT(traced.batch.notes, IsEmpty());
  const kvm::UnsyncStep& last = traced.batch.steps.back();
  EXPECT_EQ(last.sp.value, sp(8));
  ASSERT_THAT(last.parents, SizeIs(3));
  EXPECT_EQ(last.parents[0].sp.value, sp(7));
  EXPECT_EQ(last.parents[2].level, 4u);
  EXPECT_EQ(last.parents[2].idx, 2);
}

TEST_F(UnsyncBatchesTest, AStepThatOnlyKnowsItsPageIsFoundInTheBatch) {
  batches_.add(walk(sync_walk, {3, 2, 1}, 3));
  const std::vector<TracedBatch> complete = batches_.add(step(sync_step, sp(2), {1, 0}));
  ASSERT_THAT(complete, SizeIs(1));
  EXPECT_THAT(steps(complete.front()), ElementsAre(2));
  EXPECT_EQ(complete.front().vcpu, 3u);
}

TEST_F(UnsyncBatchesTest, StepsThatSayNothingComeInTheOrderOfTheLeaves) {
  plan_.meanings[sync_step].sp.reset();
  batches_.add(walk(sync_walk, {3, 2, 1, 1, 2, 1}, 6));
  batches_.add(step(sync_step, garbage, {1, 0}));
  batches_.add(step(sync_step, garbage, {1, 0}));
  const std::vector<TracedBatch> complete = batches_.add(step(sync_step, garbage, {4, 0}));
  ASSERT_THAT(complete, SizeIs(1));
  EXPECT_THAT(steps(complete.front()), ElementsAre(2, 3, 5));
}

TEST_F(UnsyncBatchesTest, ThreadsDoNotMix) {
  batches_.add(walk(zap_walk, {3, 2, 1}, 3, 1));
  batches_.add(walk(sync_walk, {2, 1, 1}, 3, 2));
  EXPECT_THAT(batches_.add(step(sync_step, sp(1), {0}, 2)), IsEmpty());
  EXPECT_THAT(batches_.add(step(zap_step, 3, {1, 0}, 1)), SizeIs(1));
  const auto complete = batches_.add(step(sync_step, sp(2), {0}, 2));
  ASSERT_THAT(complete, SizeIs(1));
  EXPECT_EQ(complete.front().tid, 2);
}

TEST_F(UnsyncBatchesTest, EntriesBeyondNrAreNotShown) {
  const auto complete = batches_.add(walk(zap_walk, {4}, 1));
  ASSERT_THAT(complete, SizeIs(1));  // without a leaf there is no step to wait for
  EXPECT_THAT(complete.front().batch.pages, SizeIs(1));
  EXPECT_THAT(batches_.add(walk(zap_walk, {}, 0)), IsEmpty());  // nothing is unsync
}

TEST_F(UnsyncBatchesTest, AnNrThatIsTooLargeIsSaid) {
  std::vector<unsigned> all(16, 2);
  all.front() = 4;
  const auto complete = batches_.add(walk(zap_walk, all, 17));
  ASSERT_THAT(complete, SizeIs(1));
  EXPECT_THAT(complete.front().batch.pages, SizeIs(16));
  EXPECT_THAT(complete.front().batch.notes, ElementsAre(HasSubstr("nr is 17")));
}

TEST_F(UnsyncBatchesTest, StepsThatDidNotComeAreSaid) {
  batches_.add(walk(zap_walk, {2, 1, 1}, 3));
  batches_.add(step(zap_step, 2, {0}));
  const auto complete = batches_.add(walk(zap_walk, {2, 1}, 2));  // the thread goes on
  ASSERT_THAT(complete, SizeIs(1));
  EXPECT_THAT(complete.front().batch.notes, ElementsAre("1 of 2 steps were not seen"));
  EXPECT_THAT(batches_.older_than(now_ + second / 2), IsEmpty());
  EXPECT_THAT(batches_.older_than(now_ + 2 * second), SizeIs(1));
  EXPECT_EQ(batches_.open(), 0u);
  batches_.add(walk(zap_walk, {2, 1}, 2));
  EXPECT_EQ(batches_.open(), 1u);
}

TEST_F(UnsyncBatchesTest, AStepWithoutItsWalkIsLeftOut) {
  EXPECT_THAT(batches_.add(step(zap_step, 4, {2, 1, 0})), IsEmpty());
  batches_.add(walk(zap_walk, {2, 1}, 2));
  EXPECT_THAT(batches_.add(step(sync_step, sp(1), {0})), IsEmpty());  // of another function
  batches_.add(step(zap_step, 99, {0}));                              // of no page that is there
  const auto complete = batches_.add(step(zap_step, 2, {0}));
  ASSERT_THAT(complete, SizeIs(1));
  EXPECT_THAT(complete.front().batch.notes, ElementsAre(HasSubstr("none of these pages")));
  EXPECT_THAT(batches_.add({.probe = zap_walk, .values = {1, 2}}), IsEmpty());
}

class UnsyncFilterTest : public UnsyncBatchesTest {
 protected:
  UnsyncFilterTest() {
    types_.add("kvm", [this] { return &fake_; });
    traced_.function = "mmu_zap_unsync_children";
    traced_.tid = 7;
    unsigned i = 0;
    for (const unsigned level : {4u, 3u, 2u, 1u, 1u, 1u, 3u, 2u, 1u}) {
      traced_.batch.pages.push_back({.sp = VirtAddr{sp(i)},
                                     .level = level,
                                     .gfn = Gfn{0x10fU + i},
                                     .idx = static_cast<std::int64_t>(i) - 1});
      ++i;
    }
  }
  bool passes(std::string_view text) {
    return UnsyncFilter(text, types_).passes(traced_, {.vm = 1, .vcpu = std::nullopt});
  }

  FakeTypes fake_;
  Types types_;
  TracedBatch traced_;
};

TEST_F(UnsyncFilterTest, ComparesWhatABatchIs) {
  for (const char* text :
       {"", "levels(2) >= 2", "levels(2) == 2 && levels(1) == 4", "nr == 9", "level == 4",
        "gfn == 0x10f", "root_sp == 0xffff888000100000", "vm == 1", "vcpu == -1", "tid == 7", "zap",
        "level_of(6) == 3", "gfn_of(8) == 0x117", "idx_of(0) == -1", "level_of(9) == -1",
        "level_of(-1) == -1", "levels(5) == 0"})
    EXPECT_TRUE(passes(text)) << text;
  for (const char* text : {"levels(2) >= 3", "nr < 9", "!zap", "level_of(0) == 3", "0"})
    EXPECT_FALSE(passes(text)) << text;
}

TEST_F(UnsyncFilterTest, WhatABatchDoesNotHaveIsSaidAtOnce) {
  EXPECT_ERROR(passes("levls(2)"), ErrorKind::usage, "no function 'levls'");
  EXPECT_ERROR(passes("leve == 4"), ErrorKind::usage, "did you mean 'level'?");
  EXPECT_ERROR(passes("levels()"), ErrorKind::usage, "takes one number");
  EXPECT_ERROR(passes("levels(1, 2)"), ErrorKind::usage, "takes one number");
  EXPECT_ERROR(passes("nr >"), ErrorKind::usage, "expected an operand");
  EXPECT_ERROR(passes("$x = 3"), ErrorKind::usage, "no variables");
  EXPECT_ERROR(passes("nr / levels(7)"), ErrorKind::usage, "zero");
}

}  // namespace
}  // namespace kvmscope::tracing
