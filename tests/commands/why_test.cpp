// why, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"
#include "tests/support/fake_owner_tables.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::uint64_t slot_hva = 0x7f2000000000;

// The scenario, whose owner has page tables; KVM maps gfn 0x210 to pfn 0xbb01.
struct Owned : FakeScenario {
  explicit Owned(unsigned slot_flags = 0, const FakeLeaf& leaf = {.gfn = 0x210}) {
    vm.add_slot({.id = 1,
                 .base = 0x200,
                 .npages = 0x400,
                 .hva = slot_hva,
                 .flags = slot_flags,
                 .rmaps = true});
    vm.map(synced, 7, {0xbb01}, leaf);
    vm.reverse(synced, 7, 0x210);
    put(0x210, 0xbb01000 | owner_page_bits);
  }
  void put(std::uint64_t gfn, std::uint64_t entry) {
    tables.put(static_cast<unsigned>(gfn - 0x200), entry);
  }
  json why(const std::string& gpa) {
    const FakeOutcome outcome = run(kernel, "why 0 0 " + gpa);
    EXPECT_EQ(outcome.records.size(), 1u);
    return outcome.records.empty() ? json() : outcome.records[0];
  }

  FakeOwnerTables tables{kernel, vm, slot_hva};
};

TEST(Why, SaysThatNothingIsInTheWay) {
  Owned owned;
  const json record = owned.why("0x210abc");
  EXPECT_EQ(record["verdict"], "mapped");
  EXPECT_EQ(record["hpa"], "0xbb01abc");
  EXPECT_EQ(record["agree"], true);
  EXPECT_THAT(run_text(owned.kernel, "why 0 0 0x210abc").text, HasSubstr("\nmapped: SPTE 0x"));
}

TEST(Why, KnowsThatNoMemslotHasTheAddress) {
  Owned owned;
  const json record = owned.why("0xd0000000");
  EXPECT_EQ(record["verdict"], "no_memslot");
  EXPECT_EQ(record["slot"], nullptr);
  EXPECT_EQ(record["slot_flags"], nullptr);
}

// No root has guest physical addresses, but the entry has the frame.
TEST(Why, FindsMmioEntriesOfShadowPages) {
  Owned owned;
  FakeMemory& memory = owned.kernel.memory();
  const std::uint64_t value = owned.kernel.value("shadow_mmio_value");
  memory.set(owned.vm.slot_set(0), "kvm_memslots", "generation", 0x4);
  memory.poke(owned.synced.entry(9), value | 0xd0000000 | 0x04 << 3);
  memory.poke(owned.synced.entry(10), value | 0xd0001000 | 0x02 << 3);
  EXPECT_EQ(owned.why("0xd0000000")["verdict"], "no_memslot");  // in the tree of another root
  owned.vcpu.run_on(owned.root, 0x10f000);
  const json record = owned.why("0xd0000abc");
  EXPECT_EQ(record["verdict"], "mmio");
  EXPECT_THAT(record["because"].get<std::string>(), HasSubstr(hex(owned.synced.entry(9))));
  EXPECT_EQ(owned.why("0xd0001000")["verdict"], "mmio_stale");
  EXPECT_EQ(owned.why("0xd0002000")["verdict"], "no_memslot");
}

TEST(Why, LooksIntoTheAddressSpaceThatTheVcpuRunsIn) {
  Owned owned;
  owned.vm.add_slot({.as_id = 1, .id = 4, .base = 0x800, .npages = 1, .hva = slot_hva});
  EXPECT_EQ(owned.why("0x800000")["verdict"], "no_memslot");
  owned.vcpu.set("arch.root_mmu.root_role.smm", 1);
  EXPECT_EQ(owned.why("0x800000")["verdict"], "host_absent");
  EXPECT_EQ(owned.why("0x800000")["as_id"], 1);
}

TEST(Why, TellsWhatTheHostLacks) {
  Owned owned;
  EXPECT_EQ(owned.why("0x211000")["verdict"], "host_absent");
  owned.put(0x211, 0x7fffff0000002000);
  EXPECT_EQ(owned.why("0x211000")["verdict"], "host_swapped");
  owned.put(0x211, (~0xbb01000ULL & 0x000ffffffffff000) | 0x100);
  EXPECT_EQ(owned.why("0x211000")["verdict"], "host_prot_none");
  owned.put(0x211, 0xcc00000 | owner_page_bits);
  EXPECT_EQ(owned.why("0x211000")["verdict"], "not_mapped_yet");
  EXPECT_THAT(owned.why("0x211000")["because"].get<std::string>(), HasSubstr("hpa 0xcc00000"));
}

TEST(Why, LooksAtTheMappingWhereTheOwnerHasNoPage) {
  Owned owned;
  FakeMemory& memory = owned.kernel.memory();
  const VirtAddr vma = owned.tables.vma();
  memory.set(vma, "vm_area_struct", "vm_userfaultfd_ctx.ctx", 0xffff888000001000);
  json record = owned.why("0x211000");
  EXPECT_EQ(record["verdict"], "host_userfaultfd");
  EXPECT_THAT(record["because"].get<std::string>(),
              HasSubstr("(0x7f2000000000 to 0x7f2000200000) of a userfaultfd"));
  memory.set(vma, "vm_area_struct", "vm_userfaultfd_ctx.ctx", 0);
  memory.set(vma, "vm_area_struct", "vm_flags", 0x100073);
  EXPECT_EQ(owned.why("0x211000")["verdict"], "host_absent");
  memory.set(vma, "vm_area_struct", "vm_flags", 0x100070);
  EXPECT_EQ(owned.why("0x211000")["verdict"], "host_prot_none");
  memory.set(owned.tables.mm(), "mm_struct", "mm_mt.ma_root", 0);
  record = owned.why("0x211000");
  EXPECT_EQ(record["verdict"], "host_unmapped");
  EXPECT_THAT(record["because"].get<std::string>(), HasSubstr("hva 0x7f2000011000 of the owner"));
  // A tree that cannot be read decides nothing.
  memory.set(owned.tables.mm(), "mm_struct", "mm_mt.ma_root", 0xdead00000000010e);
  record = owned.why("0x211000");
  EXPECT_EQ(record["verdict"], "host_absent");
  EXPECT_THAT(record["because"].get<std::string>(),
              HasSubstr("what it has mapped there cannot be read (0xdead000000000108 is not"));
}

TEST(Why, SeesTwoPagesForOneAddress) {
  Owned owned;
  owned.put(0x210, 0xbb02000 | owner_page_bits);
  EXPECT_EQ(owned.why("0x210000")["verdict"], "disagree");
}

TEST(Why, SaysWhatForbidsWrites) {
  const FakeLeaf read_only = {.writable = false, .gfn = 0x210};
  EXPECT_EQ(Owned(1, read_only).why("0x210000")["verdict"], "dirty_logging");
  EXPECT_EQ(Owned(2, read_only).why("0x210000")["verdict"], "readonly_memslot");
  EXPECT_EQ(Owned(0, read_only).why("0x210000")["verdict"], "write_protected");
  EXPECT_EQ(
      Owned(0, {.writable = false, .mmu_writable = false, .gfn = 0x210}).why("0x210000")["verdict"],
      "write_protected");
  EXPECT_EQ(Owned(0, {.writable = false, .host_writable = false, .gfn = 0x210})
                .why("0x210000")["verdict"],
            "host_read_only");
  EXPECT_EQ(Owned(1 << 16, read_only).why("0x210000")["verdict"], "memslot_changing");
}

TEST(Why, PutsNotifiersAtWorkFirst) {
  Owned owned;
  owned.vm.set("mmu_invalidate_in_progress", 1);
  const json record = owned.why("0x210000");
  EXPECT_EQ(record["verdict"], "invalidating");
  EXPECT_EQ(record["invalidate_in_progress"], 1);
}

TEST(Why, MeetsMmioAndFrozenEntriesInTheTdpMmu) {
  FakeKernel kernel({.tdp_enabled = true, .tdp_mmu = true});
  FakeVm& vm = kernel.add_vm();
  vm.add_slot({.base = 0, .npages = 0x400});
  const FakePage root = vm.add_page({.level = 2, .direct = true, .tdp_mmu = true, .root = true});
  vm.add_vcpu(0).run_on(root, 0);
  kernel.memory().poke(root.entry(1), 0x5a0);  // REMOVED_SPTE
  const json record = run(kernel, "why 0 0 0x212345").records[0];
  EXPECT_EQ(record["verdict"], "frozen");
  EXPECT_EQ(record["root"], "0.0");
}

TEST(Why, NeedsAVcpuOfTheVm) {
  Owned owned;
  EXPECT_EQ(run_text(owned.kernel, "why 0 7 0x210000").status, 2);
  EXPECT_EQ(run_text(owned.kernel, "why 0").status, 2);
}

}  // namespace
}  // namespace kvmscope
