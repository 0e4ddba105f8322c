// layout, against the debug info of each era.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_run.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json record_of(const FakeOutcome& outcome, std::string_view structure, std::string_view field) {
  for (const json& record : outcome.records)
    if (record["structure"] == structure && record["field"] == field) return record;
  return nullptr;
}

class LayoutInEveryEra : public testing::TestWithParam<Era> {};

TEST_P(LayoutInEveryEra, MissesNothing) {
  FakeKernel kernel({.era = GetParam()});
  const FakeOutcome outcome = run(kernel, "layout --missing");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, json::array());
  EXPECT_THAT(run_text(kernel, "layout").text, HasSubstr(", 0 missing\n"));
}

INSTANTIATE_TEST_SUITE_P(Eras, LayoutInEveryEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST(Layout, WorksWithoutATarget) {
  FakeKernel kernel;
  const FakeOutcome outcome = run_offline(kernel, "layout");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.text, HasSubstr("STRUCTURE"));
}

TEST(Layout, TellsTheSpellingAndThePlace) {
  FakeKernel kernel({.era = Era::v5_10});
  const FakeOutcome outcome = run(kernel, "layout");
  const json hpa = record_of(outcome, "struct kvm_mmu", "root.hpa");
  EXPECT_EQ(hpa, json::parse(R"({"structure": "struct kvm_mmu", "field": "root.hpa",
      "spelling": "root_hpa", "offset": 8, "size": 8, "bit_offset": null, "bit_size": null,
      "type": "u64", "source": "kvm", "status": "found"})"));
  const json access = record_of(outcome, "union kvm_mmu_page_role", "access");
  EXPECT_EQ(access["offset"], 1);
  EXPECT_EQ(access["bit_offset"], 0);
  EXPECT_EQ(access["bit_size"], 3);
  EXPECT_EQ(record_of(outcome, "struct kvm_mmu", "pml5_root")["status"], "absent");
  EXPECT_EQ(record_of(outcome, "struct xa_node", "slots")["status"], "built-in");
}

TEST(Layout, EndsWithStatus5WhenAFieldIsMissing) {
  FakeKernel kernel;
  kernel.types().structure("kvm_mmu_root_info", 16, {{"hpa", kernel.types().u64(), 8}});
  const FakeOutcome outcome = run(kernel, "layout --missing");
  EXPECT_EQ(outcome.status, 5);
  ASSERT_EQ(outcome.records.size(), 1u);
  EXPECT_EQ(outcome.records[0]["structure"], "struct kvm_mmu_root_info");
  EXPECT_EQ(outcome.records[0]["field"], "pgd");
  EXPECT_EQ(outcome.records[0]["spelling"], nullptr);
  EXPECT_EQ(outcome.records[0]["status"], "missing");
}

TEST(Layout, NeedsDebugInfo) {
  FakeKernel kernel;
  kernel.finder().files.clear();
  EXPECT_EQ(run_offline(kernel, "layout").status, 3);
}

}  // namespace
}  // namespace kvmscope
