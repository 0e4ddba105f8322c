// rmap and parents, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

// The scenario, with the rmaps that belong to its leaves.
struct Mapped : FakeScenario {
  Mapped() {
    vm.add_slot({.id = 1, .base = 0x200, .npages = 0x400, .rmaps = true});
    vm.map(synced, 7, {0xbb01}, {.gfn = 0x210});
    vm.reverse(synced, 7, 0x210);
    vm.map(unsync, 8, {0xbb01}, {.writable = false, .gfn = 0x210});
    vm.reverse(unsync, 8, 0x210);
    vm.map(two, 3, {0xc00}, {.gfn = 0x200});
    vm.reverse(two, 3, 0x200);
  }
};

TEST(Rmap, ShowsEverySpteOfAFrame) {
  Mapped mapped;
  const FakeOutcome outcome = run_text(mapped.kernel, "rmap 0 0x210");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(outcome.text.starts_with("GFN    L  SPTE ADDRESS")) << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr(fmt::format("0x210  1  {}", hex(mapped.synced.entry(7)))));
  EXPECT_THAT(outcome.text, HasSubstr("rwxu A- HM  leaf  0xbb01"));
  EXPECT_THAT(outcome.text, HasSubstr("r-xu A- HM  leaf  0xbb01"));
  EXPECT_THAT(outcome.text, HasSubstr("  0.0.prev0 4[1] 3[0] 2[0] 1[7]\n"));
  EXPECT_THAT(outcome.text, HasSubstr("  0.0.prev0 4[1] 3[0] 2[3]\n"));
}

TEST(Rmap, HasTheSameAsData) {
  Mapped mapped;
  const FakeOutcome outcome = run(mapped.kernel, "rmap 0 gpa:0x210abc");
  EXPECT_EQ(outcome.status, 0);
  ASSERT_EQ(outcome.records.size(), 3u);
  json expected = json::parse(mapped.named(R"({
      "vm": 0, "as_id": 0, "gfn": "0x210", "level": 1, "source": "rmap", "kind": "leaf",
      "pfn": "0xbb01", "sp": "{synced}", "index": 7, "direct": false, "path_count": 1,
      "paths": ["0.0.prev0 4[1] 3[0] 2[0] 1[7]"],
      "flags": ["r", "w", "x", "u", "accessed", "host_writable", "mmu_writable"]})"));
  expected["spte_address"] = hex(mapped.synced.entry(7));
  expected["spte"] = hex(mapped.kernel.memory().peek(mapped.synced.entry(7)));
  EXPECT_EQ(outcome.records[0], expected);
  EXPECT_EQ(outcome.records[2]["level"], 2);
  EXPECT_EQ(outcome.records[2]["gfn"], "0x200");
}

TEST(Rmap, ListsAllFramesWithoutOne) {
  Mapped mapped;
  EXPECT_EQ(run(mapped.kernel, "rmap 0").column("gfn"), json::array({"0x210", "0x210", "0x200"}));
}

TEST(Rmap, SaysWhereNothingIs) {
  Mapped mapped;
  FakeOutcome outcome = run(mapped.kernel, "rmap 0 0x9999999");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, json::array());
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("gfn 0x9999999 is in no memslot of VM 0")));
  outcome = run(mapped.kernel, "rmap 0 0x450");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("no SPTE of VM 0 maps gfn 0x450")));
}

TEST(Rmap, WalksTheTreesOfTheTdpMmu) {
  FakeKernel kernel({.tdp_enabled = true, .tdp_mmu = true});
  FakeVm& vm = kernel.add_vm();
  vm.add_slot({.base = 0, .npages = 0x400});
  FakeVcpu& vcpu = vm.add_vcpu(0);
  const FakePage root = vm.add_page({.level = 2, .direct = true, .tdp_mmu = true, .root = true});
  vcpu.run_on(root, 0);
  const FakePage one = vm.grow(root, 0, {.level = 1, .direct = true, .tdp_mmu = true});
  vm.map(one, 5, {0x99});
  vm.map(root, 1, {0x800});
  const FakeOutcome outcome = run(kernel, "rmap 0 5");
  EXPECT_EQ(outcome.status, 0);
  ASSERT_EQ(outcome.records.size(), 1u);
  EXPECT_EQ(outcome.records[0]["source"], "tdp_mmu");
  EXPECT_EQ(outcome.records[0]["paths"], json::array({"0.0 2[0] 1[5]"}));
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("have no rmaps: its trees were walked")));
  EXPECT_EQ(run(kernel, "rmap 0").column("gfn"), json::array({"0x5", "0x200"}));
  EXPECT_THAT(run(kernel, "rmap 0 7").notes, Contains(HasSubstr("no SPTE of VM 0 maps gfn 0x7")));
}

TEST(Rmap, ShowsAnEntryThatIsInNoTable) {
  Mapped mapped;
  const VirtAddr wild = mapped.kernel.memory().allocate_page() + 16;
  mapped.kernel.memory().poke(mapped.vm.rmap_head(0x300, 1), wild.value);
  const FakeOutcome outcome = run(mapped.kernel, "rmap 0 0x300");
  EXPECT_EQ(outcome.status, 5);
  ASSERT_EQ(outcome.records.size(), 2u);  // the other is the 2 MiB page that has the frame, too
  EXPECT_EQ(outcome.records[0]["spte_address"], hex(wild));
  EXPECT_TRUE(outcome.records[0]["sp"].contains("lost"));
  EXPECT_THAT(run_text(mapped.kernel, "rmap 0 0x300").text,
              testing::ContainsRegex("\n0x300 +1 +0xffff[0-9a-f]+ +\\? +\\? +\\? +\\? +\\? +lost"));
}

TEST(Rmap, EndsWhereAChainIsARing) {
  Mapped mapped;
  FakeMemory& memory = mapped.kernel.memory();
  const VirtAddr chunk{memory.peek(mapped.vm.rmap_head(0x210, 1)) & ~std::uint64_t{3}};
  memory.set(chunk, "pte_list_desc", "more", chunk.value);
  const FakeOutcome outcome = run(mapped.kernel, "rmap 0");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("the rmap of level 1 of gfn 0x210 is incomplete")));
}

// ---- parents

TEST(Parents, ShowTheWayUp) {
  FakeScenario scenario;
  scenario.vm.link(scenario.two2, 9, scenario.unsync);
  const FakeOutcome outcome = run_text(scenario.kernel, scenario.named("parents {unsync} -f tree"));
  EXPECT_EQ(outcome.status, 0);
  const auto entry = [&](const FakePage& page, unsigned index) {
    return hex(page.entry(index)) + "  " + hex(scenario.kernel.memory().peek(page.entry(index)));
  };
  EXPECT_EQ(
      outcome.text,
      scenario.named("L1              {unsync}  0x119  -                   -          unsync\n"
                     "├─ L2[1]        {two}  0x117  ") +
          entry(scenario.two, 1) +
          scenario.named("  kids 1\n"
                         "│  └─ L3[0]     {three}  0x116  ") +
          entry(scenario.three, 0) +
          scenario.named("  kids 1\n"
                         "│     └─ L4[1]  {root}  0x10f  ") +
          entry(scenario.root, 1) +
          scenario.named("  root 0.0.prev0, kids 2\n"
                         "└─ L2[9]        {two2}  0x11c  ") +
          entry(scenario.two2, 9) +
          scenario.named("  kids 2\n"
                         "   └─ L3[0]     {three2}  0x11b  ") +
          entry(scenario.three2, 0) +
          scenario.named("  kids 1\n"
                         "      └─ L4[2]  {root}  0x10f  ") +
          entry(scenario.root, 2) + "  root 0.0.prev0, kids 2, as above\n");
}

TEST(Parents, HaveTheSameAsData) {
  FakeScenario scenario;
  scenario.vm.link(scenario.two2, 9, scenario.unsync);
  const FakeOutcome outcome = run(scenario.kernel, scenario.named("parents {unsync}"));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.column("depth"), json::array({0, 1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(outcome.column("index"), json::array({nullptr, 1, 0, 1, 9, 0, 2}));
  EXPECT_EQ(outcome.column("repeated"),
            json::array({false, false, false, false, false, false, true}));
  EXPECT_EQ(outcome.records[3]["roots"], json::array({"0.0.prev0"}));
  EXPECT_EQ(outcome.records[1]["spte_address"], hex(scenario.two.entry(1)));
}

TEST(Parents, AreAGraphInDot) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, scenario.named("parents {unsync} -f dot"));
  EXPECT_THAT(outcome.text, HasSubstr("n3 -> n2 [label=\"["));
  EXPECT_THAT(outcome.text, HasSubstr("root 0.0.prev0"));
}

TEST(Parents, OfAPageThatIsNoneAreAUsersMistake) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "parents 0x1234");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("neither a shadow page nor the hpa of a root")));
}

TEST(Parents, ThatCannotBeReadAreLost) {
  FakeScenario scenario;
  scenario.kernel.memory().set(scenario.unsync.address, "kvm_mmu_page", "parent_ptes.val", 0x1238);
  const FakeOutcome outcome = run(scenario.kernel, scenario.named("parents {unsync}"));
  EXPECT_EQ(outcome.status, 5);
  ASSERT_EQ(outcome.records.size(), 2u);
  EXPECT_TRUE(outcome.records[1]["sp"].contains("lost"));
  EXPECT_THAT(run_text(scenario.kernel, scenario.named("parents {unsync} -f tree")).text,
              HasSubstr("\n└─ ?  ?                   ?      0x1238  ?  lost(0x1238 is not the"));
}

}  // namespace
}  // namespace kvmscope
