// translate, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"
#include "tests/support/fake_owner_tables.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

constexpr std::uint64_t slot_hva = 0x7f2000000000;
constexpr std::uint64_t frame_bits = 0x000ffffffffff000;

// The scenario, whose owner has page tables: gfn 0x200 is at 0x7f2000000000, of four levels.
// KVM maps gfn 0x210 to pfn 0xbb01.
struct Owned : FakeScenario {
  Owned() {
    vm.add_slot({.id = 1, .base = 0x200, .npages = 0x400, .hva = slot_hva, .rmaps = true});
    vm.map(synced, 7, {0xbb01}, {.gfn = 0x210});
    vm.reverse(synced, 7, 0x210);
  }
  // The owner's entry for gfn 0x210.
  void put(std::uint64_t entry) { tables.put(0x10, entry); }
  json translate(const std::string& address = "0x210abc") {
    const FakeOutcome outcome = run(kernel, "translate 0 " + address);
    EXPECT_EQ(outcome.records.size(), 1u);
    return outcome.records.empty() ? json() : outcome.records[0];
  }

  FakeOwnerTables tables{kernel, vm, slot_hva};
};

TEST(Translate, ShowsBothWays) {
  Owned owned;
  owned.put(0xbb01000 | owner_page_bits);
  const FakeOutcome outcome = run_text(owned.kernel, "translate 0 0x210abc");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(outcome.text.starts_with(
      "gpa 0x210abc = gfn 0x210 → memslot 1 → hva 0x7f2000010abc\n  host   4[254] "))
      << outcome.text;
  EXPECT_THAT(outcome.text, HasSubstr("  → hpa 0xbb01abc, 4 KiB\n  SPTE   "));
  EXPECT_THAT(outcome.text, HasSubstr("→ hpa 0xbb01abc  0.0.prev0 4[1] 3[0] 2[0] 1[7]\n"));
  EXPECT_TRUE(outcome.text.ends_with("\n  both agree\n")) << outcome.text;
}

TEST(Translate, HasTheSameAsData) {
  Owned owned;
  owned.put(0xbb01000 | owner_page_bits);
  const json record = owned.translate("gpa:0x210abc");
  EXPECT_EQ(record["hva"], "0x7f2000010abc");
  EXPECT_EQ(record["hpa"], "0xbb01abc");
  EXPECT_EQ(record["host_state"], "mapped");
  EXPECT_EQ(record["host_page_bytes"], 4096);
  EXPECT_EQ(record["host_steps"].size(), 4u);
  EXPECT_EQ(record["sptes"][0]["hpa"], "0xbb01abc");
  EXPECT_EQ(record["sptes"][0]["sp"], hex(owned.synced.address));
  EXPECT_EQ(record["agree"], true);
  EXPECT_EQ(owned.translate("gfn:0x210")["gpa"], "0x210000");
}

TEST(Translate, SaysWhereKvmMapsAnotherPage) {
  Owned owned;
  owned.put(0xbb02000 | owner_page_bits);
  EXPECT_EQ(owned.translate()["agree"], false);
  EXPECT_THAT(run_text(owned.kernel, "translate 0 0x210abc").text, HasSubstr("they DISAGREE"));
}

TEST(Translate, TellsWhyTheHostHasNoPage) {
  Owned owned;
  owned.put(0);
  EXPECT_EQ(owned.translate()["host_state"], "absent");
  EXPECT_EQ(owned.translate()["hpa"], nullptr);
  EXPECT_EQ(owned.translate()["agree"], false);  // KVM still maps one
  owned.put(0x7fffff0000002000);
  EXPECT_EQ(owned.translate()["host_state"], "swapped");
  owned.put((~0xbb01000ULL & frame_bits) | 0x100);  // inverted
  EXPECT_EQ(owned.translate()["host_state"], "prot_none");
  EXPECT_EQ(owned.translate()["hpa"], "0xbb01abc");
}

TEST(Translate, LeavesOpenWhatKvmDoesNotMap) {
  Owned owned;
  owned.tables.put(0x11, 0xcc00000 | owner_page_bits);
  const json record = owned.translate("0x211000");
  EXPECT_EQ(record["hpa"], "0xcc00000");
  EXPECT_EQ(record["sptes"], json::array());
  EXPECT_EQ(record["agree"], nullptr);
}

TEST(Translate, SaysThatNoMemslotHasTheAddress) {
  Owned owned;
  const FakeOutcome outcome = run(owned.kernel, "translate 0 0xd0000000");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, json::array());
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("gpa 0xd0000000 is in no memslot of VM 0")));
}

TEST(Translate, KeepsKvmsSideWhenTheOwnersTablesAreMissing) {
  Owned owned;
  owned.kernel.memory().leave_out(owned.tables.table());
  const FakeOutcome outcome = run(owned.kernel, "translate 0 0x210abc");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_TRUE(outcome.records[0]["host_state"].contains("lost"));
  EXPECT_EQ(outcome.records[0]["sptes"][0]["hpa"], "0xbb01abc");
  EXPECT_TRUE(outcome.records[0]["agree"].contains("lost"));
}

TEST(Translate, RefusesAPgdThatIsNoTable) {
  Owned owned;
  FakeMemory& memory = owned.kernel.memory();
  memory.set({memory.get(owned.vm.address(), "kvm", "mm")}, "mm_struct", "pgd", 0x1234);
  const FakeOutcome outcome = run(owned.kernel, "translate 0 0x210abc");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.records[0]["hpa"]["lost"], HasSubstr("which is no table"));
}

TEST(Translate, WalksTheTreesOfTheTdpMmu) {
  FakeKernel kernel({.tdp_enabled = true, .tdp_mmu = true});
  FakeVm& vm = kernel.add_vm();
  vm.add_slot({.base = 0, .npages = 0x400});
  const FakePage root = vm.add_page({.level = 2, .direct = true, .tdp_mmu = true, .root = true});
  vm.add_vcpu(0).run_on(root, 0);
  vm.map(root, 1, {0x800});  // 2 MiB
  const json spte = run(kernel, "translate 0 0x212345").records[0]["sptes"][0];
  EXPECT_EQ(spte["source"], "tdp_mmu");
  EXPECT_EQ(spte["hpa"], "0x812345");
  EXPECT_EQ(spte["paths"], json::array({"0.0 2[1]"}));
}

}  // namespace
}  // namespace kvmscope
