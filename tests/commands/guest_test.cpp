// guest and translate --gva, against kernels built in memory.

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

// The scenario, whose owner has 16 pages at gfn 0x200, the first of them the guest's PML4.
struct Guest : FakeScenario {
  Guest() {
    FakeMemory& memory = kernel.memory();
    vm.add_slot({.id = 1, .base = 0x200, .npages = 0x400, .hva = slot_hva, .rmaps = true});
    FakeOwnerTables tables(kernel, vm, slot_hva);
    for (unsigned i = 0; i < pages.size(); ++i) {
      pages[i] = memory.allocate_page();
      tables.put(i, FakeMemory::phys(pages[i]).value | owner_page_bits);
    }
    vcpu.set("arch.cr3", 0x200000);
    // 0x8000000000 → 0x204000, 0x8000001000 → 0x7fff000, which has no memslot
    memory.poke(pages[0] + 8, 0x201000 | owner_table_bits);
    memory.poke(pages[1], 0x202000 | owner_table_bits);
    memory.poke(pages[2], 0x203000 | owner_table_bits);
    memory.poke(pages[3], 0x204000 | owner_table_bits);
    memory.poke(pages[3] + 8, 0x7fff000 | owner_table_bits);
    memory.write(pages[4], "Hello, guest");
  }

  std::array<VirtAddr, 8> pages;
};

TEST(GuestRead, ReadsGuestPhysicalMemory) {
  Guest guest;
  const FakeOutcome outcome = run(guest.kernel, "guest 0 read gpa:0x204000 16");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records[0]["text"], "Hello, guest....");
  EXPECT_EQ(outcome.records[0]["gpa"], "0x204000");
}

TEST(GuestRead, ReadsGuestVirtualMemory) {
  Guest guest;
  const FakeOutcome outcome = run(guest.kernel, "guest 0 read --gva 0x8000000007 5");
  EXPECT_EQ(outcome.records[0]["text"], "guest");
  EXPECT_EQ(outcome.records[0]["address"], "0x8000000007");
  EXPECT_EQ(outcome.records[0]["gpa"], "0x204007");
}

TEST(GuestRead, GoesOnBehindAPageThatIsNotThere) {
  Guest guest;
  const FakeOutcome outcome = run(guest.kernel, "guest 0 read --gva 0x8000001ff8 16");
  EXPECT_EQ(outcome.status, 4);
  ASSERT_EQ(outcome.records.size(), 2u);
  EXPECT_THAT(outcome.records[0]["bytes"]["lost"].get<std::string>(),
              HasSubstr("guest address 0x7fff000 is in no memslot"));
  EXPECT_THAT(outcome.records[1]["bytes"]["lost"].get<std::string>(),
              HasSubstr("0x8000002000 is not mapped: level 1 entry 0x0"));
}

TEST(GuestRead, CanGiveTheBytesAsTheyAre) {
  Guest guest;
  EXPECT_EQ(run_text(guest.kernel, "guest 0 read 0x204000 12 --raw").text, "Hello, guest");
  EXPECT_EQ(run_text(guest.kernel, "guest 0 regs -f raw").status, 2);
}

TEST(GuestRead, TakesAnotherAddressSpace) {
  Guest guest;
  const FakeOutcome outcome =
      run(guest.kernel, "guest 0 read --gva --cr3 0x201000 0x8000000000 16");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_THAT(outcome.records[0]["bytes"]["lost"].get<std::string>(),
              HasSubstr("level 4 entry 0x0"));
}

TEST(GuestRead, RefusesMemoryThatOnlyTheGuestCanRead) {
  Guest guest;
  guest.vm.add_slot(
      {.id = 2, .base = 0x1000, .npages = 1, .hva = slot_hva, .flags = 4});  // KVM_MEM_GUEST_MEMFD
  const FakeOutcome outcome = run(guest.kernel, "guest 0 read 0x1000000 16");
  EXPECT_THAT(outcome.records[0]["bytes"]["lost"].get<std::string>(), HasSubstr("guest_memfd"));
}

TEST(GuestRead, NeedsToKnowWhichVcpu) {
  Guest guest;
  guest.vm.add_vcpu(3);
  EXPECT_THAT(run_text(guest.kernel, "guest 0 read --gva 0x8000000000").notes,
              Contains(HasSubstr("say which vCPU: --vcpu N; VM 0 has: 0, 3")));
  EXPECT_EQ(run(guest.kernel, "guest 0 read --gva --vcpu 0 0x8000000000").status, 0);
  EXPECT_EQ(run_text(guest.kernel, "guest 0 read --vcpu 0 0x204000").status, 2);
  EXPECT_EQ(run_text(guest.kernel, "guest 0 write 0x204000").status, 2);
}

TEST(GuestRegisters, SayWhereTheyComeFromAndWhetherTheyAreOld) {
  Guest guest;
  guest.vcpu.set("arch.regs[3]", 0x1234);
  const FakeOutcome outcome = run(guest.kernel, "guest 0 regs");
  EXPECT_EQ(outcome.status, 0);
  const auto find = [](const json& records, const std::string& name) {
    for (const json& record : records)
      if (record["register"] == name) return record;
    return json();
  };
  EXPECT_EQ(find(outcome.records, "rbx")["value"], "0x1234");
  EXPECT_EQ(find(outcome.records, "rbx")["source"], "cache");
  EXPECT_EQ(find(outcome.records, "cr3")["value"], "0x200000");
  EXPECT_EQ(find(outcome.records, "cr3")["stale"], false);
  guest.vcpu.set("mode", 1);
  FakeKernel& kernel = guest.kernel;
  EXPECT_EQ(find(run(kernel, "guest 0 regs --vcpu 0").records, "rbx")["stale"], true);
}

TEST(TranslateGva, ShowsTheGuestsStepsBesideTheRoots) {
  Guest guest;
  const FakeOutcome outcome = run(guest.kernel, "translate 0 --gva 0x8000000123");
  ASSERT_EQ(outcome.records.size(), 1u);
  const json& record = outcome.records[0];
  EXPECT_EQ(record["gpa"], "0x204123");
  EXPECT_EQ(record["paging"], "4-level");
  EXPECT_EQ(record["guest_steps"].size(), 4u);
  EXPECT_EQ(record["guest_access"], "rwxu");
  EXPECT_EQ(record["root"], "0.0");
  EXPECT_EQ(record["root_steps"][0]["kind"], "nonpresent");
  EXPECT_EQ(record["hpa"], hex(FakeMemory::phys(guest.pages[4]).value + 0x123));
  EXPECT_EQ(record["host_state"], "mapped");
}

TEST(TranslateGva, SaysWhatTheGuestDoesNotMap) {
  Guest guest;
  const FakeOutcome outcome = run(guest.kernel, "translate 0 --gva 0x8000002000");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records[0]["gpa"], nullptr);
  EXPECT_EQ(outcome.records[0]["hpa"], nullptr);
  EXPECT_EQ(outcome.records[0]["guest_state"], "nonpresent");
  EXPECT_EQ(outcome.records[0]["guest_fault"],
            "level 1 entry 0x0: its present bit (bit 0) is clear");
  EXPECT_THAT(run_text(guest.kernel, "translate 0 --gva 0x8000001000").text,
              HasSubstr("gpa 0x7fff000 is in no memslot: an access to it is MMIO"));
}

}  // namespace
}  // namespace kvmscope
