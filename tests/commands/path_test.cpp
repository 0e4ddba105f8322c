// path, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

TEST(Path, ShowsATableAndWhereItEnds) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "path 0.0.prev0 0x8000002123");
  EXPECT_EQ(outcome.status, 0);
  const std::string text = scenario.named(
      "L[I]  SPTE ADDRESS        SPTE       PERM  AD  HM  KIND   TO\n"
      "4[1]  {4}  {three.spte}  rwxu  A-  --  table  {three} gfn 0x116\n"
      "3[0]  {3}  {two.spte}  rwxu  A-  --  table  {two} gfn 0x117\n"
      "2[0]  {2}  {synced.spte}  rwxu  A-  --  table  {synced} gfn 0x118\n"
      "1[2]  {1}  0xaa17a25  r-xu  A-  H-  leaf   pfn 0xaa17, 4K\n"
      "gva 0x8000002123 → gpa 0x30123 → hpa 0xaa17123   not writable: MMU-writable is clear\n");
  std::string expected = text;
  const std::pair<const char*, VirtAddr> entries[] = {{"{4}", scenario.root.entry(1)},
                                                      {"{3}", scenario.three.entry(0)},
                                                      {"{2}", scenario.two.entry(0)},
                                                      {"{1}", scenario.synced.entry(2)}};
  for (const auto& [word, at] : entries) expected.replace(expected.find(word), 3, hex(at));
  EXPECT_EQ(outcome.text, expected);
}

TEST(Path, HasTheFieldsOfTreeAndTheEnd) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "path 0.0.prev0 0x8000002123");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.column("level"), json::array({4, 3, 2, 1}));
  EXPECT_EQ(outcome.column("hpa"), json::array({nullptr, nullptr, nullptr, "0xaa17123"}));
  EXPECT_EQ(outcome.records[3], json::parse(scenario.named(R"({
      "depth": 3, "level": 1, "index": 2, "address": "0x8000002000", "domain": "gva",
      "spte": "0xaa17a25", "spte_address": ")") +
                                            hex(scenario.synced.entry(2)) + scenario.named(R"(",
      "kind": "leaf", "gfn": "0x30", "pfn": "0xaa17", "sp": null, "parent_sp": "{synced}",
      "flags": ["r", "x", "u", "accessed", "host_writable"], "hpa": "0xaa17123"})")));
}

std::string last_line(FakeKernel& kernel, std::string_view line) {
  std::string text = run_text(kernel, line).text;
  if (!text.empty()) text.pop_back();
  return text.substr(text.find_last_of('\n') + 1);
}

TEST(Path, SaysWhyAWriteWouldFault) {
  const auto verdict = [](const FakeLeaf& leaf) {
    FakeScenario scenario;
    scenario.vm.map(scenario.synced, 7, {0x55}, leaf);
    return last_line(scenario.kernel, "path 0.0.prev0 0x8000007000");
  };
  EXPECT_THAT(verdict({}), HasSubstr("   writable"));
  EXPECT_THAT(verdict({.writable = false, .host_writable = false}),
              HasSubstr("not writable: host-writable is clear"));
  EXPECT_THAT(verdict({.writable = false, .mmu_writable = false}),
              HasSubstr("not writable: MMU-writable is clear"));
  EXPECT_THAT(verdict({.writable = false}), HasSubstr("not writable now"));
}

TEST(Path, EndsAtAHole) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "path 0.0.prev0 0x8000009000");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records.back()["kind"], "nonpresent");
  EXPECT_EQ(outcome.records.back()["hpa"], nullptr);
  EXPECT_EQ(last_line(scenario.kernel, "path 0.0.prev0 0x8000009000"),
            "gva 0x8000009000 is not mapped: nonpresent at level 1");
}

TEST(Path, EndsAtAHugePage) {
  FakeScenario scenario;
  EXPECT_EQ(last_line(scenario.kernel, "path 0.0.prev0 0x80004fffff"),
            "gva 0x80004fffff → gpa 0x2fffff → hpa 0x6fffff   writable");
}

TEST(Path, TakesGuestMemoryByFrameOrAddress) {
  FakeKernel kernel({.tdp_enabled = true});
  FakeVm& vm = kernel.add_vm();
  const FakePage root = vm.add_page({.level = 2, .direct = true});
  vm.map(root, 1, {0x600});
  vm.add_vcpu(0).run_on(root, 0);
  EXPECT_EQ(last_line(kernel, "path 0.0 gfn:0x201"), "gpa 0x201000 → hpa 0x601000   writable");
  EXPECT_EQ(last_line(kernel, "path 0.0 gpa:0x201234"), "gpa 0x201234 → hpa 0x601234   writable");
}

TEST(Path, KeepsTheStepsBeforeAMissingTable) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.synced.table);
  const FakeOutcome outcome = run(scenario.kernel, "path 0.0.prev0 0x8000002123");
  EXPECT_EQ(outcome.status, 4);
  ASSERT_EQ(outcome.records.size(), 3u);
  EXPECT_THAT(outcome.records[2]["notes"][0].get<std::string>(),
              HasSubstr("reading the level 1 entry"));
}

TEST(Path, HasNoStepFromAMissingRoot) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.root.table);
  const FakeOutcome outcome = run(scenario.kernel, "path 0.0.prev0 0x8000002123");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.records, json::array());
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("reading the level 4 entry")));
}

TEST(Path, DoesNotKnowTheGuestAddressOfALostGfnTable) {
  FakeScenario scenario;
  FakeMemory& memory = scenario.kernel.memory();
  memory.leave_out({memory.get(scenario.synced.address, "kvm_mmu_page", "shadowed_translation")});
  const FakeOutcome outcome = run(scenario.kernel, "path 0.0.prev0 0x8000002123");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_TRUE(outcome.records[3]["gfn"].contains("lost"));
  EXPECT_EQ(outcome.records[3]["hpa"], "0xaa17123");
}

TEST(Path, OfACorruptPageLosesWhatItSays) {
  FakeScenario scenario;
  scenario.kernel.memory().set(scenario.two.address, "kvm_mmu_page", "role.level", 0);
  const FakeOutcome outcome = run(scenario.kernel, "path 0.0.prev0 0x8000002123");
  EXPECT_THAT(outcome.status, testing::AnyOf(4, 5));
  ASSERT_EQ(outcome.records.size(), 4u);
  EXPECT_TRUE(outcome.records[1]["sp"].contains("lost"));
}

}  // namespace
}  // namespace kvmscope
