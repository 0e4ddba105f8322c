// snapshot, of kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/fake_kernel_scenario.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

json snapshot_of(FakeKernel& kernel, const std::string& arguments = "", int status = 0) {
  const FakeOutcome outcome = run_text(kernel, "snapshot " + arguments);
  EXPECT_EQ(outcome.status, status) << outcome.text;
  EXPECT_EQ(outcome.notes.size(), status == 0 ? 0u : 1u) << testing::PrintToString(outcome.notes);
  return json::parse(outcome.text, nullptr, false);
}

TEST(Snapshot, HasTheRecordsOfTheCommands) {
  FakeScenario scenario;
  const json snapshot = snapshot_of(scenario.kernel, "--depth pages");
  EXPECT_EQ(snapshot["schema"], "kvmscope.snapshot/1");
  EXPECT_EQ(snapshot["target"], "fake.core");
  EXPECT_EQ(snapshot["truth"], "dump");
  EXPECT_EQ(snapshot["notes"], json::array());
  EXPECT_EQ(snapshot["incomplete"], json::array());
  ASSERT_EQ(snapshot["vms"].size(), 1u);
  const json& vm = snapshot["vms"]["95-4"];
  EXPECT_EQ(vm["vm"], run(scenario.kernel, "vms").records[0]);
  for (const char* command : {"vcpus", "roots", "slots", "levels"})
    EXPECT_EQ(vm[command], run(scenario.kernel, command).records) << command;
  EXPECT_EQ(vm["pages"], run(scenario.kernel, "pages --tdp").records);
}

TEST(Snapshot, CountsPagesByLevelAndRole) {
  FakeScenario scenario;
  const json vm = snapshot_of(scenario.kernel)["vms"]["95-4"];
  EXPECT_FALSE(vm.contains("pages"));
  EXPECT_FALSE(vm.contains("levels"));
  EXPECT_EQ(vm["page_counts"]["pages"], 9);
  EXPECT_EQ(vm["page_counts"]["bytes"], 9 * 4096);
  EXPECT_EQ(vm["page_counts"]["unsync"], 2);
  EXPECT_EQ(vm["page_counts"]["roots"], 2);
  json by_level = json::object();
  for (const json& role : vm["page_counts"]["by_role"])
    by_level[std::to_string(role["level"].get<int>())] = role["pages"];
  EXPECT_EQ(by_level, json::parse(R"({"1": 3, "2": 2, "3": 2, "4": 2})"));
}

TEST(Snapshot, MergesTheLeavesOfATreeIntoRuns) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  const FakePage root = vm.add_page({.level = 4, .direct = true});
  const FakePage three = vm.add_page({.level = 3, .direct = true});
  const FakePage two = vm.add_page({.level = 2, .direct = true});
  const FakePage one = vm.add_page({.level = 1, .direct = true});
  vm.add_vcpu(0).run_on(root, 0);
  vm.link(root, 0, three);
  vm.link(three, 0, two);
  vm.link(two, 0, one);
  for (unsigned index = 0; index < 8; ++index)
    vm.map(one, index, {0x100 + index}, {.writable = index < 4, .mmu_writable = index < 4});
  vm.map(two, 1, {0x400}, {});
  const json tree = snapshot_of(kernel, "--depth trees")["vms"]["95-4"]["trees"][0];
  EXPECT_EQ(tree["domain"], "gpa");
  EXPECT_EQ(tree["leaves"], 9);
  EXPECT_EQ(tree["complete"], true);
  ASSERT_EQ(tree["runs"].size(), 3u) << tree;
  EXPECT_EQ(tree["runs"][0]["first"], "0x0");
  EXPECT_EQ(tree["runs"][0]["last"], "0x3fff");
  EXPECT_EQ(tree["runs"][0]["access"].get<std::string>().substr(0, 2), "rw");
  EXPECT_EQ(tree["runs"][1]["access"].get<std::string>().substr(0, 2), "r-");
  EXPECT_EQ(tree["runs"][1]["last"], "0x7fff");
  EXPECT_EQ(tree["runs"][2]["first"], "0x200000");
  EXPECT_EQ(tree["runs"][2]["level"], 2);
}

TEST(Snapshot, OfOneVmHasThatAlone) {
  FakeKernel kernel;
  kernel.add_vm();
  FakeVm& second = kernel.add_vm();
  const json snapshot = snapshot_of(kernel, "1");
  ASSERT_EQ(snapshot["vms"].size(), 1u);
  EXPECT_EQ(snapshot["vms"].begin().value()["vm"]["kvm"], hex(second.address()));
  EXPECT_EQ(run_text(kernel, "snapshot 7").status, 2);
}

TEST(Snapshot, WithoutAVmIsEmptyAndSaysSo) {
  FakeKernel kernel;
  const json snapshot = snapshot_of(kernel);
  EXPECT_EQ(snapshot["vms"], json::object());
  EXPECT_THAT(snapshot["notes"].dump(), HasSubstr("no VM is running"));
  EXPECT_EQ(snapshot["incomplete"], json::array());
}

TEST(Snapshot, KeepsWhatCanBeReadAndNotesTheRest) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.root.address, 64);
  const json snapshot = snapshot_of(scenario.kernel, "--depth pages", 4);
  const json& vm = snapshot["vms"]["95-4"];
  EXPECT_TRUE(vm["roots"][1]["gfn"].contains("lost"));
  EXPECT_EQ(vm["roots"][0]["gfn"], "0x11e");
  EXPECT_THAT(vm["incomplete"].dump(), HasSubstr("pages"));
  EXPECT_THAT(snapshot["notes"].dump(), HasSubstr("pages of VM 0 may be missing"));
}

TEST(Snapshot, IsWrittenToAFileInSilence) {
  const TemporaryTree tree;
  FakeScenario scenario;
  const std::string path = tree.path() + "/now.json";
  const FakeOutcome outcome = run_text(scenario.kernel, "snapshot -o " + path);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.text, IsEmpty());
  EXPECT_THAT(outcome.notes, IsEmpty());
  std::ifstream file(path);
  EXPECT_EQ(json::parse(file)["depth"], "summary");
}

TEST(Snapshot, LeavesTheOldFileWhenItCannotBeTaken) {
  const TemporaryTree tree;
  tree.write("now.json", "old");
  FakeKernel kernel;
  for (const std::string arguments : {" 7", " --depth sideways"}) {
    EXPECT_EQ(run_text(kernel, "snapshot -o " + tree.path() + "/now.json" + arguments).status, 2);
    std::ifstream file(tree.path() + "/now.json");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "old");
  }
}

}  // namespace
}  // namespace kvmscope
