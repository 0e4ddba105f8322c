// Where the unsync probes go, in a small mmu.c compiled here by two compilers.

#include "commands/trace/unsync_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dwarf/debug_file.hpp"
#include "tests/commands/trace/small_mmu.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope::tracing {
namespace {

using ::testing::StartsWith;

class UnsyncPlanTest : public testing::TestWithParam<const char*> {
 protected:
  UnsyncPlan plan(const std::string& source = small_mmu, const std::string& more = "") {
    file_ = open_debug_file(
        folder_.module("kvm.ko", {{"mmu.c", source}},
                       fmt::format("{} -fno-asynchronous-unwind-tables {}", GetParam(), more)));
    types_.add("kvm", [this] { return &file_->types(); });
    return unsync_plan({file_.get(), "kvm"}, types_);
  }

  TemporaryFolder folder_;
  std::unique_ptr<DebugFile> file_;
  Types types_;
};

TEST_P(UnsyncPlanTest, FindsWhereTheWalkReturnsAndWhereAStepIsMade) {
  const UnsyncPlan plan = this->plan();
  ASSERT_GE(plan.probes.size(), 4u);
  ASSERT_EQ(plan.meanings.size(), plan.probes.size());
  std::set<std::pair<std::string, bool>> kinds;
  for (std::size_t i = 0; i < plan.probes.size(); ++i) {
    const UnsyncProbe& meaning = plan.meanings[i];
    const bool is_step = meaning.kind == UnsyncProbe::Kind::step;
    EXPECT_THAT(plan.probes[i].place, StartsWith("kvm:" + meaning.function + "+0x"));
    kinds.emplace(meaning.function, is_step);
    ASSERT_EQ(meaning.groups, is_step ? 5u : 16u);
    // A compiler may keep neither: then the order tells, and a note says so.
    const bool is_told = is_step ? meaning.i || meaning.sp : meaning.kvm.has_value();
    EXPECT_TRUE(is_told || !plan.notes.empty()) << meaning.function;
    EXPECT_TRUE(is_told || std::string(GetParam()).starts_with("clang")) << meaning.function;
    EXPECT_LE(plan.probes[i].args.size(), 128u);
  }
  EXPECT_EQ(kinds.size(), 4u);
}

TEST_P(UnsyncPlanTest, RecordsTheBatchFromTheStack) {
  const UnsyncPlan plan = this->plan();
  const std::vector<probe::FetchArg>& args = plan.probes.front().args;
  const UnsyncProbe& meaning = plan.meanings.front();
  ASSERT_EQ(meaning.kind, UnsyncProbe::Kind::walked);
  const probe::FetchArg& first = args[meaning.first + 1];
  const probe::FetchArg& level = args[meaning.first + 1 + 4 * 2 + 2];
  EXPECT_EQ(first.text, "pages.page[0].sp");
  EXPECT_THAT(first.fetch, testing::MatchesRegex("[+-][0-9]+\\(%[a-z0-9]+\\):x64"));
  EXPECT_EQ(level.text, "pages.page[2].sp->role.level");
  EXPECT_THAT(level.fetch, testing::MatchesRegex("[+]20\\([+-][0-9]+\\(%[a-z0-9]+\\)\\):b4@0/32"));
}

TEST_P(UnsyncPlanTest, SaysWhatThisKernelLacks) {
  EXPECT_ERROR(plan("int kvm_mmu_load(void) { return 1; }"), ErrorKind::unavailable,
               "no function mmu_zap_unsync_children");
  std::string renamed = small_mmu;
  for (std::size_t at = 0; (at = renamed.find("__mmu_unsync_walk", at)) != renamed.npos;)
    renamed.replace(at, 17, "collect");
  for (std::size_t at = 0; (at = renamed.find("mmu_unsync_walk", at)) != renamed.npos;)
    renamed.replace(at, 15, "gather");
  EXPECT_ERROR(plan(renamed), ErrorKind::unavailable, "it cannot be said where the walk returns");
}

INSTANTIATE_TEST_SUITE_P(Compilers, UnsyncPlanTest,
                         testing::Values("gcc -O2 -gdwarf-5", "gcc -O2 -gdwarf-4",
                                         "clang -O2 -gdwarf-5", "clang -O2 -gdwarf-4"),
                         [](const auto& info) { return "with" + std::to_string(info.index); });

}  // namespace
}  // namespace kvmscope::tracing
