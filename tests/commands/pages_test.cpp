// pages, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Pages, ShowsATableAndItsTotals) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "pages 0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.text,
            scenario.named(
                "SP                  L  GFN    Q  ACC  FLAGS   KIDS  ROOTS  PARENTS  SPT\n"
                "{current}  4  0x11e  0  wux  -          0      1        0  {current.spt}\n"
                "{root}  4  0x10f  0  wux  -          2      1        0  {root.spt}\n"
                "{three}  3  0x116  0  wux  -          1      0        1  {three.spt}\n"
                "{two}  2  0x117  0  wux  -          1      0        1  {two.spt}\n"
                "{synced}  1  0x118  0  wux  -          0      0        1  {synced.spt}\n"
                "{unsync}  1  0x119  0  wux  unsync     0      0        1  {unsync.spt}\n"
                "{last}  1  0x11d  0  wux  unsync     0      0        1  {last.spt}\n"
                "{three2}  3  0x11b  0  wux  -          1      0        1  {three2.spt}\n"
                "{two2}  2  0x11c  0  wux  -          1      0        1  {two2.spt}\n"
                "9 pages (used 9, max 327): L4 2, L3 2, L2 2, L1 3; unsync 2, invalid 0, obsolete "
                "0\n"));
}

TEST(Pages, HasTheSameKeysAsData) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "pages --unsync");
  EXPECT_EQ(outcome.status, 0);
  ASSERT_EQ(outcome.records.size(), 2u);
  EXPECT_EQ(outcome.records[0], json::parse(scenario.named(R"({
      "vm": 0, "sp": "{unsync}", "level": 1, "gfn": "0x119", "quadrant": 0, "direct": false,
      "unsync": true, "unsync_children": 0, "root_count": 0, "invalid": false, "obsolete": false,
      "tdp_mmu": false, "guest_mode": false, "smm": 0, "access": "wux", "role": "0x1701",
      "role_text": "8-byte q0 wux nxe ad", "nx_huge_disallowed": false, "spt": "{unsync.spt}",
      "parents": 1})")));
}

TEST(Pages, HasTotalsAlone) {
  FakeScenario scenario;
  EXPECT_EQ(run_text(scenario.kernel, "pages --summary").text,
            "VM 0: 9 pages (used 9, max 327): L4 2, L3 2, L2 2, L1 3; unsync 2, invalid 0, "
            "obsolete 0\n");
  EXPECT_EQ(run(scenario.kernel, "pages --summary").records, json::parse(R"([{
      "vm": 0, "pages": 9, "used": 9, "max": 327, "levels": [{"level": 4, "pages": 2},
      {"level": 3, "pages": 2}, {"level": 2, "pages": 2}, {"level": 1, "pages": 3}], "unsync": 2,
      "invalid": 0, "obsolete": 0, "unreadable": 0}])"));
}

TEST(Pages, CanBeFiltered) {
  FakeScenario scenario;
  FakeVm& vm = scenario.vm;
  vm.add_page({.level = 2, .gfn = 0x400, .direct = true, .invalid = true});
  const auto gfns = [&](std::string_view options) {
    return run(scenario.kernel, fmt::format("pages {}", options)).column("gfn");
  };
  EXPECT_EQ(gfns("--level 3"), json::array({"0x116", "0x11b"}));
  EXPECT_EQ(gfns("--root"), json::array({"0x11e", "0x10f"}));
  EXPECT_EQ(gfns("--invalid"), json::array({"0x400"}));
  EXPECT_EQ(gfns("--direct"), json::array({"0x400"}));
  EXPECT_EQ(gfns("--gfn 0x117"), json::array({"0x117"}));
  EXPECT_EQ(gfns("--gfn gfn:0x118"), json::array({"0x118"}));
  // A direct page of level 2 maps 512 times 2 MiB.
  EXPECT_EQ(gfns("--gfn 0x403ff"), json::array({"0x400"}));
  EXPECT_EQ(gfns("--gfn 0x40400"), json::array());
  EXPECT_EQ(gfns("--level 1 --unsync"), json::array({"0x119", "0x11d"}));
}

TEST(Pages, KnowWhatIsObsolete) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  vm.add_page({.level = 1, .obsolete = true});
  vm.add_page({.level = 1});
  EXPECT_EQ(run(kernel, "pages").column("obsolete"), json::array({true, false}));
}

TEST(Pages, IncludeThoseOfTheTdpMmuOnRequest) {
  FakeKernel kernel({.tdp_enabled = true, .tdp_mmu = true});
  FakeVm& vm = kernel.add_vm();
  vm.add_vcpu(0);
  const FakePage root = vm.add_page({.level = 2, .direct = true, .tdp_mmu = true, .root = true});
  const FakePage one = vm.grow(root, 0, {.level = 1, .direct = true, .tdp_mmu = true});
  EXPECT_EQ(run(kernel, "pages").records, json::array());
  const FakeOutcome outcome = run(kernel, "pages --tdp");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.column("sp"), json::array({hex(root.address), hex(one.address)}));
  EXPECT_EQ(outcome.column("parents"), json::array({0, 1}));
  EXPECT_EQ(outcome.column("tdp_mmu"), json::array({true, true}));
}

TEST(Pages, SaysWhereTdpPagesMayBeMissing) {
  FakeKernel kernel({.tdp_enabled = true, .tdp_mmu = true});
  FakeVm& vm = kernel.add_vm();
  vm.add_vcpu(0);
  const FakePage root = vm.add_page({.level = 3, .direct = true, .tdp_mmu = true, .root = true});
  const FakePage two = vm.grow(root, 0, {.level = 2, .direct = true, .tdp_mmu = true});
  vm.grow(root, 1, {.level = 2, .direct = true, .tdp_mmu = true});
  kernel.memory().leave_out(two.table);
  const FakeOutcome outcome = run(kernel, "pages --tdp");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.records.size(), 3u);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("TDP MMU pages of VM 0 may be missing")));
}

TEST(Pages, KeepTheRowOfAPageThatIsMissing) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.two.address + 16, 64);  // its list node is there
  const FakeOutcome outcome = run(scenario.kernel, "pages");
  EXPECT_EQ(outcome.status, 4);
  ASSERT_EQ(outcome.records.size(), 9u);
  EXPECT_EQ(outcome.records[3]["sp"], hex(scenario.two.address));
  EXPECT_TRUE(outcome.records[3]["gfn"].contains("lost"));
  EXPECT_THAT(run_text(scenario.kernel, "pages").text, HasSubstr(", unreadable 1\n"));
}

TEST(Pages, GoOnFromTheOtherEndWhereTheListIsCorrupt) {
  FakeScenario scenario;
  scenario.kernel.memory().poke(scenario.two.address + 8, 0x1234);
  const FakeOutcome outcome = run(scenario.kernel, "pages");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_EQ(outcome.records.size(), 9u);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("pages of VM 0 may be missing")));
}

TEST(Pages, LoseTheirParentsAlone) {
  FakeScenario scenario;
  scenario.vm.link(scenario.two, 9, scenario.synced);
  const kvm::ShadowPage page = scenario.kernel.page(scenario.synced);
  scenario.kernel.memory().leave_out({page.parent_ptes & ~std::uint64_t{3}}, 8);
  const FakeOutcome outcome = run(scenario.kernel, "pages");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_TRUE(outcome.records[4]["parents"].contains("lost"));
  EXPECT_EQ(outcome.records[4]["gfn"], "0x118");
}

}  // namespace
}  // namespace kvmscope
