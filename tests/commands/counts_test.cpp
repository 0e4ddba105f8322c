// counts, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

TEST(Counts, ShowsAVm) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "counts 0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(outcome.text.starts_with(
      "VM 0: 9 shadow pages (used 9, max 327), 0 TDP MMU pages\n"
      "  L   PAGES  DIRECT  INDIRECT  UNSYNC  INVALID  OBSOLETE  TDP MMU\n"
      "  4       2       0         2       0        0         0        0\n"
      "  3       2       0         2       0        0         0        0\n"
      "  2       2       0         2       0        0         0        0\n"
      "  1       3       0         3       2        0         0        0\n"
      "  L   PAGES  ROLE\n"
      "  4       2  8-byte q0 wux nxe ad\n"
      "  3       2  8-byte q0 wux nxe ad\n"
      "  2       2  8-byte q0 wux nxe ad\n"
      "  1       3  8-byte q0 wux nxe ad\n"
      "  page hash: 9 pages in 512 buckets: 503 of length 0, 9 of length 1\n"
      "  invalid roots that wait for zap: 0 shadow, 0 TDP MMU\n"
      "  rmaps: 0 SPTEs, 0 pte_list_desc; parents: 0 pte_list_desc\n"
      "  memory: "))
      << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr(": shadow tables 36 KiB, headers "));
  EXPECT_TRUE(outcome.text.ends_with(", gfn tables 36 KiB\n")) << outcome.text;
}

TEST(Counts, CountsPagesByLevelAndRole) {
  FakeScenario scenario;
  scenario.vm.add_page({.level = 2, .gfn = 0x400, .direct = true, .obsolete = true});
  scenario.vm.add_page({.level = 2, .gfn = 0x600, .direct = true});
  const json record = run(scenario.kernel, "counts").records[0];
  EXPECT_EQ(record["pages"], 11);
  EXPECT_EQ(record["levels"][2], json::parse(R"({"level": 2, "pages": 4, "direct": 2, "indirect": 2,
      "unsync": 0, "invalid": 0, "obsolete": 1, "tdp_mmu": 0})"));
  EXPECT_EQ(record["levels"][3], json::parse(R"({"level": 1, "pages": 3, "direct": 0, "indirect": 3,
      "unsync": 2, "invalid": 0, "obsolete": 0, "tdp_mmu": 0})"));
  ASSERT_EQ(record["roles"].size(), 5u);
  EXPECT_EQ(record["roles"][3]["role_text"], "8-byte q0 direct wux nxe ad");
  EXPECT_EQ(record["roles"][3]["obsolete"], 1);
}

class CountsOfEra : public testing::TestWithParam<Era> {};

TEST_P(CountsOfEra, KnowTheHashTheRmapsAndTheMemory) {
  FakeKernel kernel({.era = GetParam()});
  FakeVm& vm = kernel.add_vm();
  vm.add_slot({.base = 0x100, .npages = 0x400, .rmaps = true});
  const FakePage two = vm.add_page({.level = 2, .gfn = 7});
  const FakePage one = vm.grow(two, 0, {.level = 1, .gfn = 7});
  vm.add_page({.level = 1, .gfn = 8, .direct = true});
  for (unsigned i = 0; i < 3; ++i) vm.reverse(one, i, 0x101);
  vm.reverse(one, 9, 0x102);
  const FakeOutcome outcome = run(kernel, "counts");
  EXPECT_EQ(outcome.status, 0);
  const json& record = outcome.records[0];
  EXPECT_EQ(record["hash_pages"], 3);
  EXPECT_EQ(record["hash_lengths"].back(), json::parse(R"({"length": 2, "buckets": 1})"));
  EXPECT_EQ(record["rmap_entries"], 4);
  EXPECT_EQ(record["rmap_descriptors"], 1);
  EXPECT_EQ(record["parent_descriptors"], 0);
  EXPECT_EQ(record["shadow_bytes"], 3 * 4096);
  EXPECT_EQ(record["gfn_table_bytes"], 2 * 4096);
  EXPECT_EQ(record["rmap_bytes"], 8 * (0x400 + 3 + 1));
  EXPECT_EQ(record["lpage_info_bytes"], 4 * (3 + 1));
  EXPECT_EQ(record["gfn_track_bytes"], 2 * 0x400);
}

INSTANTIATE_TEST_SUITE_P(Eras, CountsOfEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST(Counts, FindInvalidRootsInTheHash) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  const FakePage root = vm.add_page({.level = 4, .gfn = 7, .invalid = true, .listed = false});
  vm.add_vcpu(0).run_on(root, 0x7000);
  const json record = run(kernel, "counts").records[0];
  EXPECT_EQ(record["pages"], 0);
  EXPECT_EQ(record["invalid_roots"], 1);
  EXPECT_EQ(record["shadow_bytes"], 4096);
}

TEST(Counts, CountTheTdpMmu) {
  FakeKernel kernel({.tdp_enabled = true, .tdp_mmu = true});
  FakeVm& vm = kernel.add_vm();
  const FakePage root = vm.add_page({.level = 3, .direct = true, .tdp_mmu = true, .root = true});
  const FakePage two = vm.grow(root, 0, {.level = 2, .direct = true, .tdp_mmu = true});
  vm.grow(two, 1, {.level = 1, .direct = true, .tdp_mmu = true});
  vm.add_page({.level = 4, .direct = true, .invalid = true, .tdp_mmu = true, .root = true});
  const json record = run(kernel, "counts").records[0];
  EXPECT_EQ(record["pages"], 0);
  EXPECT_EQ(record["tdp_pages"], 4);
  EXPECT_EQ(record["invalid_tdp_roots"], 1);
  EXPECT_EQ(record["tdp_bytes"], 4 * 4096);
}

TEST(Counts, SayWhatIsNotCounted) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.two.address + 16, 64);  // its list node is there
  const FakeOutcome outcome = run(scenario.kernel, "counts");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.records[0]["unreadable"], 1);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("not all of VM 0 is counted")));
}

TEST(Counts, EndWhereABucketIsARing) {
  FakeScenario scenario;
  FakeMemory& memory = scenario.kernel.memory();
  const VirtAddr node = memory.member(scenario.two.address, "kvm_mmu_page", "hash_link");
  memory.poke(node, node.value);
  const FakeOutcome outcome = run(scenario.kernel, "counts");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("walking mmu_page_hash of VM 0")));
}

}  // namespace
}  // namespace kvmscope
