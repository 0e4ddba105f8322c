// The commands on a kernel that runs: what is labelled torn, what is read again, and what neither
// hides nor invents damage.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"
#include "tests/support/fake_live.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// FakeScenario, running.
class Live : public testing::Test {
 protected:
  FakeMemory& memory() { return scenario.kernel.memory(); }
  VirtAddr member(const FakePage& page, std::string_view path) {
    return memory().member(page.address, "kvm_mmu_page", path);
  }
  void set(const FakePage& page, std::string_view path, std::uint64_t value) {
    memory().set(page.address, "kvm_mmu_page", path, value);
  }
  std::uint64_t role(const FakePage& page) {
    return memory().get(page.address, "kvm_mmu_page", "role.word");
  }
  // What KVM does to a page that it zaps: out of the list, and the link poisoned.
  void zap(const FakePage& page) {
    memory().list_del(member(page, "link"));
    memory().poke(member(page, "link"), 0xdead000000000100);
    memory().poke(member(page, "link") + 8, 0xdead000000000122);
    set(page, "role.word", role(page) | 1U << 11);
    scenario.vm.set("arch.n_used_mmu_pages",
                    memory().get(scenario.vm.address(), "kvm", "arch.n_used_mmu_pages") - 1);
  }
  static json of_sp(const FakeOutcome& outcome, const FakePage& page) {
    for (const json& record : outcome.records)
      if (record.contains("sp") && record["sp"] == hex(page.address)) return record;
    return nullptr;
  }

  FakeScenario scenario;
  FakeLive live{scenario.kernel};
};

constexpr const char* kvm_commands[] = {"vms",
                                        "vcpus",
                                        "roots",
                                        "pages",
                                        "slots",
                                        "levels",
                                        "tree 0.0.prev0",
                                        "unsync 0.0.prev0",
                                        "path 0.0.prev0 0x8000200000"};

TEST_F(Live, EachRecordOfEachCommandHasItsTruthAndElseWhatADumpHas) {
  for (const std::string command : kvm_commands) {
    const FakeOutcome of_dump = kvmscope::run(scenario.kernel, command);
    const FakeOutcome outcome = live.run(command);
    EXPECT_EQ(outcome.status, 0) << command;
    EXPECT_THAT(outcome.notes, IsEmpty()) << command;
    ASSERT_EQ(outcome.records.size(), of_dump.records.size()) << command;
    ASSERT_FALSE(outcome.records.empty()) << command;
    for (std::size_t i = 0; i < outcome.records.size(); ++i) {
      json record = outcome.records[i];
      EXPECT_EQ(record.at("truth"), "stable") << command;
      record.erase("truth");
      EXPECT_EQ(record, of_dump.records[i]) << command;
      EXPECT_FALSE(of_dump.records[i].contains("truth"));
    }
  }
}

TEST_F(Live, OtherCommandsLabelTheirRecordsToo) {
  for (const std::string command :
       {"read &vm_list 16", "print vm_list", "info", "pages --summary", "symbol vm_list"}) {
    const FakeOutcome outcome = live.run(command);
    EXPECT_EQ(outcome.status, 0) << command << json(outcome.notes);
    for (const json& record : outcome.records) EXPECT_EQ(record.at("truth"), "stable") << command;
  }
  EXPECT_FALSE(live.run("layout").records[0].contains("truth")) << "it is about debug files";
}

TEST_F(Live, TablesSayItInAColumn) {
  const FakeOutcome outcome = live.run_text("roots 0");
  EXPECT_THAT(outcome.text, HasSubstr("STATE                      TRUTH\n"));
  EXPECT_THAT(outcome.text, HasSubstr("= cr3                      stable\n"));
  EXPECT_EQ(live.run_text("roots 0 -o name,truth").text.substr(0, 25),
            "NAME       TRUTH\n0.0     ");
  EXPECT_THAT(live.run_text("roots -f csv").text, HasSubstr(",last_pgd,truth\n"));
}

TEST_F(Live, WhatChangedOnceIsReadAgain) {
  live.before_read_of(member(scenario.root, "unsync_children"), 2,
                      [&] { set(scenario.root, "unsync_children", 7); });
  const FakeOutcome outcome = live.run("roots");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records[1]["unsync_children"], 7);
  EXPECT_EQ(outcome.records[1]["truth"], "stable");
}

TEST_F(Live, WhatChangesAllTheTimeIsTornAndSaysWhat) {
  std::uint64_t count = 0;
  live.before_each_read_of(member(scenario.root, "unsync_children"),
                           [&] { set(scenario.root, "unsync_children", ++count); });
  const FakeOutcome outcome = live.run("roots");
  EXPECT_EQ(outcome.status, 0) << "torn is no failure";
  EXPECT_EQ(outcome.records[1]["truth"], "torn");
  EXPECT_THAT(outcome.records[1]["notes"][0].get<std::string>(),
              HasSubstr("unsync_children of struct kvm_mmu_page"));
}

TEST_F(Live, StrictMakesTornAFailure) {
  std::uint64_t count = 0;
  live.before_each_read_of(member(scenario.root, "unsync_children"),
                           [&] { set(scenario.root, "unsync_children", ++count); });
  live.settings.strict = true;
  EXPECT_EQ(live.run("roots").status, 4);
  EXPECT_EQ(live.run("slots").status, 0);
}

TEST_F(Live, AReportSaysItAllInAll) {
  EXPECT_EQ(json::parse(live.run_text("roots -f report").text)["truth"], "stable");
  std::uint64_t count = 0;
  live.before_each_read_of(member(scenario.root, "unsync_children"),
                           [&] { set(scenario.root, "unsync_children", ++count); });
  const json report = json::parse(live.run_text("roots -f report").text);
  EXPECT_EQ(report["truth"], "torn");
  EXPECT_EQ(report["target"], "/proc/kcore");
}

// ---- pages

TEST_F(Live, OnlyThePageThatChangesIsTorn) {
  std::uint64_t count = 0;
  live.before_each_read_of(member(scenario.two, "unsync_children"),
                           [&] { set(scenario.two, "unsync_children", ++count); });
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 0);
  for (const json& record : outcome.records)
    EXPECT_EQ(record["truth"], record["sp"] == hex(scenario.two.address) ? "torn" : "stable");
}

TEST_F(Live, APageThatIsZappedAfterItWasFoundIsTorn) {
  // The first read of its header is the walk's, the second is the check.
  live.before_read_of(member(scenario.synced, "gfn"), 2, [&] { zap(scenario.synced); });
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 0);
  const json record = of_sp(outcome, scenario.synced);
  EXPECT_EQ(record["truth"], "torn");
  EXPECT_THAT(record["notes"][0].get<std::string>(), HasSubstr("role.word"));
  EXPECT_EQ(of_sp(outcome, scenario.root)["truth"], "stable");
}

TEST_F(Live, APageThatWasFreedAndIsAnotherOneNowIsTorn) {
  live.before_read_of(member(scenario.synced, "gfn"), 2,
                      [&] { set(scenario.synced, "gfn", 0x777); });
  const json record = of_sp(live.run("pages"), scenario.synced);
  EXPECT_EQ(record["truth"], "torn") << "read twice the same, and yet not the page of the list";
  EXPECT_THAT(record["notes"][0].get<std::string>(), HasSubstr("gfn of struct kvm_mmu_page"));
}

TEST_F(Live, AListThatBreaksUnderTheWalkIsWalkedAgain) {
  live.before_read_of(member(scenario.two, "link"), 1, [&] { zap(scenario.two); });
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.notes, IsEmpty());
  EXPECT_TRUE(of_sp(outcome, scenario.two).is_null());
  EXPECT_THAT(outcome.column("truth"), Each("stable"));
}

TEST_F(Live, PagesThatComeAndGoAllTheTimeAreSaidToBeMissing) {
  std::uint64_t used = 100;
  const VirtAddr counter = memory().member(scenario.vm.address(), "kvm", "arch.n_used_mmu_pages");
  live.before_each_read_of(counter, [&] { memory().poke(counter, ++used); });
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.notes,
              Contains(AllOf(HasSubstr("pages of VM 0 may be missing"),
                             HasSubstr("active_mmu_pages changed while it was walked"))));
  EXPECT_EQ(json::parse(live.run_text("pages -f report").text)["truth"], "torn");
  EXPECT_EQ(live.run("pages --summary").records[0]["truth"], "torn");
}

TEST_F(Live, PoisonThatStaysIsCorruptData) {
  memory().poke(member(scenario.two, "link"), 0xdead000000000100);
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("list poison")));
}

TEST_F(Live, APoisonedListThatIsRepairedMeanwhileIsNot) {
  const VirtAddr next{memory().peek(member(scenario.two, "link"))};
  memory().poke(member(scenario.two, "link"), 0xdead000000000100);
  live.before_read_of(member(scenario.two, "link"), 2,
                      [&] { memory().poke(member(scenario.two, "link"), next.value); });
  const FakeOutcome outcome = live.run("pages");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.column("truth"), Each("stable"));
}

TEST_F(Live, APageCostsAtMostThreeReads) {
  std::vector<FakePage> more;
  for (unsigned i = 0; i < 300; ++i) scenario.vm.add_page({.level = 1, .gfn = 0x1000 + i});
  live.run("vms");  // start-up
  const std::uint64_t before = live.reads();
  const FakeOutcome outcome = live.run("pages");
  EXPECT_LE(live.reads() - before, 3 * outcome.records.size());
}

// ---- trees

TEST_F(Live, OneEntryThatChangesIsTornAndItsNeighboursAreNot) {
  std::uint64_t entry = memory().peek(scenario.synced.entry(1));
  live.before_each_read_of(scenario.synced.entry(1), [&] {
    memory().poke(scenario.synced.entry(1), entry ^= 0x40);  // the processor's dirty bit
  });
  const FakeOutcome outcome = live.run("tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  unsigned torn = 0;
  for (const json& record : outcome.records) {
    const bool is_it = record["spte_address"] == hex(scenario.synced.entry(1));
    EXPECT_EQ(record["truth"], is_it ? "torn" : "stable");
    torn += is_it;
  }
  EXPECT_EQ(torn, 1u);
}

TEST_F(Live, ATableThatIsCutOffWhileItIsReadIsNotShown) {
  // Read once for `two` itself, once to check that; then comes the table below.
  bool cut = false;
  live.before_each_read_of(scenario.synced.table, [&] {
    if (!std::exchange(cut, true)) memory().poke(scenario.two.entry(0), 0);
  });
  const FakeOutcome outcome = live.run("tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  for (const json& record : outcome.records) {
    EXPECT_NE(record["parent_sp"], hex(scenario.synced.address)) << "it is not in the tree";
    if (record["spte_address"] != hex(scenario.two.entry(0))) continue;
    EXPECT_EQ(record["truth"], "torn");
    EXPECT_THAT(record["notes"][0].get<std::string>(), HasSubstr("what is below changed"));
  }
  EXPECT_EQ(json::parse(live.run_text("tree 0.0.prev0 -f report").text)["truth"], "stable")
      << "it stands still now";
}

TEST_F(Live, ARootThatIsZappedUnderTheWalkEndsIt) {
  bool zapped = false;
  live.before_each_read_of(scenario.three.table, [&] {
    if (!std::exchange(zapped, true))
      set(scenario.root, "role.word", role(scenario.root) | 1U << 11);
  });
  const FakeOutcome outcome = live.run("tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.column("truth"), Contains("torn"));
}

TEST_F(Live, LevelsAreThoseOfOneMoment) {
  unsigned changes = 0;
  live.before_each_read_of(scenario.last.table, [&] {
    if (++changes == 2) scenario.vm.map(scenario.last, 5, {0xbb00});
  });
  const FakeOutcome once = live.run("levels 0.0.prev0");
  EXPECT_THAT(once.column("truth"), Each("stable"));
  EXPECT_EQ(once.records.back()["leaves"], 4) << "counted again after the change";

  unsigned index = 10;
  live.before_each_read_of(scenario.last.table,
                           [&] { scenario.vm.map(scenario.last, index++, {0xbb00}); });
  const FakeOutcome outcome = live.run("levels 0.0.prev0");
  EXPECT_EQ(outcome.column("truth"), (json{"stable", "stable", "stable", "torn"}))
      << "only the level below changed";
  EXPECT_EQ(outcome.status, 0);
}

TEST_F(Live, APathIsThatOfOneMoment) {
  live.before_read_of(scenario.unsync.entry(0), 2,
                      [&] { scenario.vm.map(scenario.unsync, 0, {0xcc00}, {.gfn = 0x31}); });
  const FakeOutcome outcome = live.run("path 0.0.prev0 0x8000200000");
  EXPECT_THAT(outcome.column("truth"), Each("stable"));
  EXPECT_EQ(outcome.records.back()["pfn"], "0xcc00");
}

TEST_F(Live, AReplayOfPagesThatKeepChangingIsTorn) {
  std::uint64_t count = 1;
  live.before_each_read_of(member(scenario.two2, "unsync_children"),
                           [&] { set(scenario.two2, "unsync_children", ++count); });
  const FakeOutcome outcome = live.run("unsync 0.0.prev0");
  EXPECT_EQ(outcome.status, 0);
  ASSERT_FALSE(outcome.records.empty());
  EXPECT_EQ(outcome.records[0]["truth"], "torn");
}

// ---- VMs, vCPUs, slots

TEST_F(Live, AVcpuThatIsAddedMeanwhileIsListed) {
  live.before_read_of(scenario.vcpu.address(), 1, [&] { scenario.vm.add_vcpu(1); });
  const FakeOutcome outcome = live.run("vcpus");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.column("vcpu"), (json{0, 1}));
  EXPECT_THAT(outcome.column("truth"), Each("stable"));
}

TEST_F(Live, AVmThatDiesMeanwhileIsSaidToHave) {
  for (const std::string command : kvm_commands) {
    FakeScenario dying;
    FakeLive host(dying.kernel);
    const VirtAddr its_link = dying.kernel.memory().member(dying.vm.address(), "kvm", "vm_list");
    // Found on vm_list, then gone: its memory reads as zeros.
    unsigned reads = 0;
    host.before_each_read_of(its_link, [&] {
      if (++reads != 3) return;
      dying.kernel.memory().list_del(its_link);
      std::vector<std::byte> zeros(dying.kernel.memory().size_of("kvm"));
      dying.kernel.memory().write(dying.vm.address(), Bytes(zeros));
    });
    const FakeOutcome outcome = host.run(command);
    // A ROOT in it may name nothing any more.
    const bool names_root = command.find(' ') != std::string::npos;
    EXPECT_TRUE(outcome.status == 0 || (names_root && outcome.status == 2))
        << command << json(outcome.notes);
    for (const json& record : outcome.records)
      EXPECT_TRUE(record.at("truth") == "torn" || record.at("truth") == "stable");
  }
}

TEST_F(Live, SlotsOfAGenerationThatChangesAreReadAgain) {
  const VirtAddr flags = memory().member(scenario.vm.slot_set(0), "kvm_memslots", "generation");
  bool added = false;
  live.before_each_read_of(flags, [&] {
    if (!std::exchange(added, true))
      scenario.vm.add_slot({.id = 3, .base = 0x400, .npages = 4, .hva = 0x7f2000000000});
  });
  const FakeOutcome outcome = live.run("slots");
  EXPECT_EQ(outcome.records.size(), 3u);
  EXPECT_THAT(outcome.column("truth"), Each("stable"));
}

// ---- limits, modules, privileges

TEST_F(Live, EndsAtTheLimitOfBytes) {
  live.settings.max_bytes = 4096;
  const FakeOutcome outcome = live.run("tree 0.0.prev0");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("--max-bytes")));
  EXPECT_TRUE(outcome.records.is_array()) << "the stream is closed properly";
  EXPECT_EQ(live.run("set max-bytes 0").status, 0);
  EXPECT_EQ(live.run("tree 0.0.prev0").status, 0);
}

TEST_F(Live, TheLimitIsThatOfOneCommand) {
  live.run("vms");
  const std::uint64_t before = live.reads();
  live.run("vms");
  EXPECT_GT(live.reads(), before);
  live.settings.max_bytes = 64 << 10;
  live.session().settings() = live.settings;
  for (unsigned i = 0; i < 50; ++i) ASSERT_EQ(live.run("vms").status, 0) << i;
}

TEST_F(Live, LooksForEverythingAnewWhenKvmWasLoadedAgain) {
  EXPECT_EQ(live.run("vms").status, 0);
  live.write_modules("kvm 1146880 1 - Live 0xffffffffc0900000\n");
  const FakeOutcome outcome = live.run("vms");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("kvm was loaded again")));
  EXPECT_EQ(outcome.records.size(), 1u);
}

TEST_F(Live, SaysThatKvmIsNotLoaded) {
  live.write_modules("");
  live.tree().write("proc/kallsyms", std::string_view("ffffffff81000000 T _text\n"));
  const FakeOutcome outcome = live.run_text("vms");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_THAT(outcome.notes, ElementsAre(AllOf(HasSubstr("kvm is not loaded in this kernel"),
                                               HasSubstr("modprobe kvm_amd"))));
}

TEST_F(Live, SaysThatKvmWasUnloadedWhileItWasLookedAt) {
  EXPECT_EQ(live.run("vms").status, 0);
  live.before_read_of(scenario.kernel.vm_list(), 1, [&] {
    live.write_modules("");
    memory().poke(scenario.kernel.vm_list(), 0);
  });
  const FakeOutcome outcome = live.run("vms");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("kvm was unloaded while it was looked at")));
}

TEST_F(Live, RefusesDebugFilesOfAnotherBuild) {
  live.tree().write("sys/module/kvm/notes/.note.gnu.build-id",
                    std::string_view("\4\0\0\0\2\0\0\0\3\0\0\0GNU\0\x12\x34\0\0", 20));
  const FakeOutcome outcome = live.run_text("vms");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr("has build-id 0102030405060708")));
}

TEST_F(Live, OpensNothingForWhatNeedsNoTarget) {
  live.tree().write("proc/kallsyms", std::string_view(""));
  EXPECT_EQ(live.run_text("print 6*7").text, "(int)42\n");
  EXPECT_EQ(live.run_text("type list_head").status, 0);
  EXPECT_EQ(live.run_text("help").status, 0);
  EXPECT_EQ(live.reads(), 0u);
  EXPECT_EQ(live.run_text("vms").status, 3);
}

TEST_F(Live, OpensEachDebugFileOnceBeforeItGivesUpRoot) {
  live.session().open_all();
  EXPECT_THAT(scenario.kernel.finder().asked,
              testing::UnorderedElementsAre("kvm", "kvm-amd", "kvm-intel", "vmlinux"));
  EXPECT_EQ(live.run_text("type list_head").status, 0) << "which does not need the kernel";
  EXPECT_EQ(scenario.kernel.finder().asked.size(), 4u);
}

TEST_F(Live, APrintOfWhatChangesIsTorn) {
  std::uint64_t count = 0;
  const VirtAddr counter = memory().member(scenario.vm.address(), "kvm", "arch.n_used_mmu_pages");
  live.before_each_read_of(counter, [&] { memory().poke(counter, ++count); });
  const std::string expression = fmt::format("print ((struct kvm *){:#x})->arch.n_used_mmu_pages",
                                             scenario.vm.address().value);
  EXPECT_EQ(live.run(expression).records[0]["truth"], "torn")
      << "also where it is this command that opens the target";
  EXPECT_EQ(live.run(expression).records[0]["truth"], "torn");
}

}  // namespace
}  // namespace kvmscope
