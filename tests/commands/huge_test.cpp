// huge, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"
#include "tests/support/fake_owner_tables.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::uint64_t slot_hva = 0x7f2000000000;

// The TDP MMU, a memslot of 8 MiB from gfn 0x200, whose owner has a 2 MiB page at its start.
struct Tdp {
  explicit Tdp(std::uint64_t hva = slot_hva, unsigned flags = 0) {
    vm.add_slot(
        {.id = 3, .base = 0x200, .npages = 0x800, .hva = hva, .flags = flags, .rmaps = true});
    vm.add_vcpu(0).run_on(root, 0);
    host.put(0, 0x600000 | owner_huge_bits);
  }
  json ranges() { return run(kernel, "huge 0").records; }

  FakeKernel kernel{{.tdp_enabled = true, .tdp_mmu = true}};
  FakeVm& vm = kernel.add_vm();
  FakePage root = vm.add_page({.level = 2, .direct = true, .tdp_mmu = true, .root = true});
  FakeOwnerTables host{kernel, vm, slot_hva, 2};
};

TEST(Huge, MergesWhatIsAlike) {
  Tdp tdp;
  tdp.vm.map(tdp.root, 1, {0x600});  // gfn 0x200
  tdp.vm.map(tdp.root, 2, {0x800});
  const json found = tdp.ranges();
  ASSERT_EQ(found.size(), 3u) << found;
  EXPECT_EQ(found[0]["first_gfn"], "0x200");
  EXPECT_EQ(found[0]["end_gfn"], "0x400");
  EXPECT_EQ(found[0]["kvm_bytes"], 2 << 20);
  EXPECT_EQ(found[0]["host_bytes"], 2 << 20);
  EXPECT_EQ(found[0]["limit"], "slot_edge");
  EXPECT_EQ(found[1]["host_bytes"], 0);
  EXPECT_EQ(found[2]["kvm_bytes"], 0);
  EXPECT_EQ(found[2]["end_gfn"], "0xa00");
  EXPECT_EQ(found[2]["limit"], nullptr);
}

// The limit of a small page in the first 2 MiB.
std::string limit_of(Tdp& tdp, bool nx = false) {
  const FakePage table =
      tdp.vm.grow(tdp.root, 1, {.direct = true, .nx_huge_disallowed = nx, .tdp_mmu = true});
  tdp.vm.map(table, 4, {0x604});
  for (const json& range : tdp.ranges())
    if (range["kvm_bytes"] == 4096) return range["limit"];
  return "not mapped";
}

TEST(Huge, SaysWhyPagesAreSmall) {
  Tdp plain;
  EXPECT_EQ(limit_of(plain), "not_rebuilt");
  Tdp logged(slot_hva, 1);
  EXPECT_EQ(limit_of(logged), "dirty_log");
  Tdp moved(slot_hva + 0x1000);
  EXPECT_EQ(limit_of(moved), "misaligned");
  Tdp split;
  EXPECT_EQ(limit_of(split, true), "nx_huge_page");
  Tdp bare;
  bare.host.put(0, 0);
  EXPECT_EQ(limit_of(bare), "host_page");
}

TEST(Huge, CountsByReason) {
  Tdp tdp;
  tdp.vm.map(tdp.root, 1, {0x600});
  const FakeOutcome outcome = run(tdp.kernel, "huge 0 --summary");
  ASSERT_EQ(outcome.records.size(), 2u);
  EXPECT_EQ(outcome.records[0]["bytes"], 6 << 20);
  EXPECT_EQ(outcome.records[1]["limit"], "slot_edge");
  EXPECT_THAT(run_text(tdp.kernel, "huge 0").text,
              HasSubstr("2048 KiB in pages of 2048 KiB, not larger: slot_edge"));
}

TEST(Huge, TakesShadowedPagesFromRmaps) {
  FakeScenario scenario;
  scenario.vm.add_slot({.id = 1, .base = 0x400, .npages = 0x400, .hva = slot_hva, .rmaps = true});
  scenario.vm.map(scenario.synced, 7, {0xbb01}, {.gfn = 0x410});
  scenario.vm.reverse(scenario.synced, 7, 0x410);
  json mapped;
  for (const json& range : run(scenario.kernel, "huge 0").records)
    if (range["slot"] == 1 && range["kvm_bytes"] != 0) mapped.push_back(range);
  ASSERT_EQ(mapped.size(), 1u);
  EXPECT_EQ(mapped[0]["first_gfn"], "0x410");
  EXPECT_EQ(mapped[0]["end_gfn"], "0x411");
  EXPECT_TRUE(mapped[0]["host_bytes"].contains("lost")) << "its owner has no page tables here";
}

TEST(Huge, GoesOnWhereATableIsMissing) {
  Tdp tdp;
  tdp.vm.map(tdp.root, 1, {0x600});
  tdp.kernel.memory().leave_out(tdp.host.table());
  const FakeOutcome outcome = run(tdp.kernel, "huge 0");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.records[0]["kvm_bytes"], 2 << 20);
  EXPECT_TRUE(outcome.records[0]["host_bytes"].contains("lost"));
}

TEST(Huge, SaysThatATableOfKvmIsMissing) {
  Tdp tdp;
  const FakePage table = tdp.vm.grow(tdp.root, 1, {.direct = true, .tdp_mmu = true});
  tdp.kernel.memory().leave_out(table.table);
  const FakeOutcome outcome = run(tdp.kernel, "huge 0");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_TRUE(outcome.records[0]["kvm_bytes"].contains("lost"));
  EXPECT_EQ(outcome.records[0]["limit"], "unknown");
  EXPECT_EQ(outcome.records[1]["kvm_bytes"], 0);
}

}  // namespace
}  // namespace kvmscope
