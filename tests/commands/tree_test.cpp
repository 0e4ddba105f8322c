// tree, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

TEST(Tree, ShowsATable) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(
      outcome.text,
      scenario.named("ENTRY  ADDRESS        SPTE       FLAGS       TO\n"
                     "L4[1]  0x8000000000   {three.spte}  rwxu A- --  gfn 0x116  kids 1\n"
                     "L3[0]  0x8000000000   {two.spte}  rwxu A- --  gfn 0x117  kids 1\n"
                     "L2[0]  0x8000000000   {synced.spte}  rwxu A- --  gfn 0x118\n"
                     "L1[1]  0x8000001000   0xaa1ae27  rwxu A- HM  gfn 0x21 → pfn 0xaa1a\n"
                     "L1[2]  0x8000002000   0xaa17a25  r-xu A- H-  gfn 0x30 → pfn 0xaa17\n"
                     "L2[1]  0x8000200000   {unsync.spte}  rwxu A- --  gfn 0x119  unsync\n"
                     "L1[0]  0x8000200000   0xaa18e67  rwxu AD HM  gfn 0x31 → pfn 0xaa18\n"
                     "L2[2]  0x8000400000   0x600ea7   rwxu A- HM  gfn 0x200 → pfn 0x600, 2M\n"
                     "L4[2]  0x10000000000  {three2.spte}  rwxu A- --  gfn 0x11b  kids 1\n"
                     "L3[0]  0x10000000000  {two2.spte}  rwxu A- --  gfn 0x11c  kids 1\n"
                     "L2[0]  0x10000000000  {last.spte}  rwxu A- --  gfn 0x11d  unsync\n"));
}

TEST(Tree, KnowsTheMmioValueOfItsVm) {
  FakeScenario scenario({.era = Era::v6_12, .ept = true, .tdp_enabled = true});
  scenario.vm.set("arch.shadow_mmio_value", 0);  // as of a TDX guest
  scenario.kernel.memory().poke(scenario.synced.entry(5), 0xfee00000);
  scenario.kernel.memory().poke(scenario.synced.entry(6), 0xfee00006);
  const std::string range = " --level 1 --range 0x8000005000+0x2000";
  EXPECT_EQ(run(scenario.kernel, "tree 0.0.prev0" + range).column("kind"),
            json::array({"mmio", "unknown"}));
  EXPECT_EQ(run(scenario.kernel, "path 0.0.prev0 0x8000005000").records.back()["kind"], "mmio");
}

TEST(Tree, IsDrawnNested) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "tree 0.0.prev0 -f tree");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.text,
            scenario.named(
                "L4[1]           0x8000000000   {three.spte}  rwxu A- --  gfn 0x116  kids 1\n"
                "└─ L3[0]        0x8000000000   {two.spte}  rwxu A- --  gfn 0x117  kids 1\n"
                "   ├─ L2[0]     0x8000000000   {synced.spte}  rwxu A- --  gfn 0x118\n"
                "   │  ├─ L1[1]  0x8000001000   0xaa1ae27  rwxu A- HM  gfn 0x21 → pfn 0xaa1a\n"
                "   │  └─ L1[2]  0x8000002000   0xaa17a25  r-xu A- H-  gfn 0x30 → pfn 0xaa17\n"
                "   ├─ L2[1]     0x8000200000   {unsync.spte}  rwxu A- --  gfn 0x119  unsync\n"
                "   │  └─ L1[0]  0x8000200000   0xaa18e67  rwxu AD HM  gfn 0x31 → pfn 0xaa18\n"
                "   └─ L2[2]     0x8000400000   0x600ea7   rwxu A- HM  gfn 0x200 → pfn 0x600, 2M\n"
                "L4[2]           0x10000000000  {three2.spte}  rwxu A- --  gfn 0x11b  kids 1\n"
                "└─ L3[0]        0x10000000000  {two2.spte}  rwxu A- --  gfn 0x11c  kids 1\n"
                "   └─ L2[0]     0x10000000000  {last.spte}  rwxu A- --  gfn 0x11d  unsync\n"));
}

TEST(Tree, IsDrawnAsAGraph) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "tree 0.0.prev0 --depth 1 -f dot");
  EXPECT_EQ(outcome.text,
            "digraph kvmscope {\n"
            "  node [shape=box, fontname=\"monospace\"];\n"
            "  n0 [label=\"L4[1] 0x8000000000\\lrwxu A- --\\lgfn 0x116  kids 1\\l\"];\n"
            "  n1 [label=\"L3[0] 0x8000000000\\lrwxu A- --\\lgfn 0x117  kids 1\\l\"];\n"
            "  n0 -> n1;\n"
            "  n2 [label=\"L4[2] 0x10000000000\\lrwxu A- --\\lgfn 0x11b  kids 1\\l\"];\n"
            "  n3 [label=\"L3[0] 0x10000000000\\lrwxu A- --\\lgfn 0x11c  kids 1\\l\"];\n"
            "  n2 -> n3;\n"
            "}\n");
}

TEST(Tree, IsFlatAsData) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.column("depth"), json::array({0, 1, 2, 3, 3, 2, 3, 2, 0, 1, 2}));
  EXPECT_EQ(outcome.records[5],
            json::parse(scenario.named(R"({
      "depth": 2, "level": 2, "index": 1, "address": "0x8000200000", "domain": "gva",
      "spte": "{unsync.spte}", "spte_address": ")") +
                        hex(scenario.two.entry(1)) + scenario.named(R"(",
      "kind": "table", "gfn": "0x119", "pfn": ")") +
                        hex(to_pfn(scenario.unsync.hpa()).value) + scenario.named(R"(",
      "sp": "{unsync}", "parent_sp": "{two}", "flags": ["r", "w", "x", "u", "accessed"]})")));
  EXPECT_EQ(outcome.records[7]["flags"],
            json::array({"r", "w", "x", "u", "accessed", "host_writable", "mmu_writable", "huge"}));
  EXPECT_EQ(outcome.records[7]["gfn"], "0x200");
  EXPECT_EQ(outcome.records[7]["sp"], nullptr);
}

TEST(Tree, CanBeLimited) {
  FakeScenario scenario;
  const auto entries = [&](std::string_view options) {
    return run(scenario.kernel, fmt::format("tree 0.0.prev0 {}", options)).column("index");
  };
  EXPECT_EQ(entries("--depth 0"), json::array({1, 2}));
  EXPECT_EQ(entries("--level 1"), json::array({1, 2, 0}));
  EXPECT_EQ(entries("--level 1 --range 0x8000001000-0x8000001fff"), json::array({1}));
  EXPECT_EQ(entries("--level 1 --range 0x8000002000+0x1000"), json::array({2}));
}

TEST(Tree, StopsAtTheLimitWithWhatItHas) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "tree 0.0.prev0 --max-entries 3");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.records.size(), 3u);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("stopped after 3 entries")));
}

TEST(Tree, RefusesARangeThatIsNone) {
  FakeScenario scenario;
  for (const char* range : {"0x1000", "0x2000-0x1000", "x-y", "0x1000+0"}) {
    const FakeOutcome outcome =
        run_text(scenario.kernel, fmt::format("tree 0.0.prev0 --range {}", range));
    EXPECT_EQ(outcome.status, 2) << range;
  }
}

TEST(Tree, GoesOnBesideATableThatIsMissing) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.synced.table);
  const FakeOutcome outcome = run(scenario.kernel, "tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.records.size(), 9u);
  EXPECT_EQ(outcome.records[2]["sp"], hex(scenario.synced.address));  // known all the same
  EXPECT_THAT(outcome.records[2]["notes"][0].get<std::string>(), HasSubstr("no such memory"));
}

TEST(Tree, LosesWhatAMissingShadowPageSays) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.synced.address, 64);
  const FakeOutcome outcome = run(scenario.kernel, "tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.records.size(), 11u);
  EXPECT_TRUE(outcome.records[2]["sp"].contains("lost"));
  EXPECT_TRUE(outcome.records[2]["gfn"].contains("lost"));
}

TEST(Tree, ReportsATableOnItsOwnPath) {
  FakeScenario scenario;
  scenario.kernel.memory().poke(scenario.two.entry(0),
                                scenario.kernel.table_entry(scenario.root.hpa()));
  const FakeOutcome outcome = run(scenario.kernel, "tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_EQ(outcome.records.size(), 3u);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("again on its own path")));
}

TEST(Tree, NeedsARootThatIsThere) {
  FakeScenario scenario;
  for (const char* root : {"", "0.0.prev1", "0.9", "nonsense", "0.0.pae0", "0x1234"})
    EXPECT_EQ(run_text(scenario.kernel, fmt::format("tree {}", root)).status, 2) << root;
}

TEST(Tree, OfADirectRootHasGuestPhysicalAddresses) {
  FakeKernel kernel({.tdp_enabled = true});
  FakeVm& vm = kernel.add_vm();
  const FakePage root = vm.add_page({.level = 4, .direct = true});
  const FakePage three = vm.grow(root, 0, {.level = 3, .direct = true});
  vm.map(three, 2, {0x80000});
  vm.add_vcpu(0).run_on(root, 0);
  const FakeOutcome outcome = run(kernel, "tree 0.0 --level 3");
  EXPECT_EQ(outcome.column("domain"), json::array({"gpa"}));
  EXPECT_EQ(outcome.column("address"), json::array({"0x80000000"}));
  EXPECT_EQ(outcome.column("gfn"), json::array({"0x80000"}));
  EXPECT_THAT(run_text(kernel, "tree 0.0").text, HasSubstr("gfn 0x80000 → pfn 0x80000, 1G"));
}

}  // namespace
}  // namespace kvmscope
