// The commands on a kernel that runs: what is labelled torn, what is read again, and VMs, vCPUs and
// slots that come and go meanwhile.

#include "tests/commands/live_fixture.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;

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

}  // namespace
}  // namespace kvmscope
