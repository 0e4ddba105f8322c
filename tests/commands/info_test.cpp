// info, against kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "commands/catalogue.hpp"
#include "commands/shell/runner.hpp"
#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json value_of(const FakeOutcome& outcome, std::string_view section, std::string_view name) {
  for (const json& record : outcome.records)
    if (record["section"] == section && record["name"] == name) return record["value"];
  return "no such line";
}

std::string user_word() {
  return geteuid() == 0 ? "root" : fmt::format("uid {}", geteuid());
}

TEST(Info, ShowsATable) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "info");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.text.substr(0, outcome.text.find("process")),
            "SECTION     NAME               VALUE\n"
            "target      path               fake.core\n"
            "target      format             fake\n"
            "target      memory             1024 MiB in 1 ranges\n"
            "kernel      release            fake-v6_1\n"
            "kernel      build-id           -\n"
            "kernel      page table levels  4\n"
            "kernel      page table root    0x1000\n"
            "kernel      KASLR offset       0x0\n"
            "kernel      symbols from       System.map\n"
            "kernel      direct map         0xffff888000000000\n"
            "modules     loaded             0\n"
            "debug info  layout             from debug files\n"
            "debug info  kvm                fake/kvm (build-id 0102030405060708)\n"
            "debug info  struct xa_node     from built-in\n"
            "kvm         VMs                1\n"
            "kvm         tdp_enabled        no\n"
            "kvm         SPTE format        NPT / legacy\n");
}

TEST(Info, SaysWhoItRunsAsAndWhatBecameOfRoot) {
  FakeScenario scenario;
  const FakeOutcome outcome = run(scenario.kernel, "info");
  EXPECT_EQ(value_of(outcome, "process", "runs as"), user_word());
  EXPECT_EQ(value_of(outcome, "process", "root"), has_privileges() ? "kept" : "not needed");
}

TEST(Info, ListsEachFileThatWasOpened) {
  FakeScenario scenario;
  scenario.kernel.kernel();
  OpenLog log;
  const std::vector<Command> commands = catalogue();
  Output out;
  Output errors;
  Messages messages(errors, false, false);
  Console console{.out = &out, .messages = messages};
  const auto open = [&] {
    log.add("/a/dump", OpenedFor::reading);
    return scenario.kernel.dump();
  };
  Session session({"dump", open}, scenario.kernel.finder(), commands, console, "", &log);
  log.add("/an/output", OpenedFor::writing);
  EXPECT_EQ(run_line(session, "info --footprint -f json"), 0);
  const json records = json::parse(out.text());
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(
      records[0],
      (json{{"path", "/an/output"}, {"how", "write"}, {"user", user_word()}, {"uid", geteuid()}}));
  EXPECT_EQ(records[1]["path"], "/a/dump");
  EXPECT_EQ(records[1]["how"], "read");
}

TEST(Info, ShowsTheModuleAndItsBuild) {
  FakeKernel kernel({.ept = true, .tdp_enabled = true, .module = true});
  kernel.add_vm();
  const FakeOutcome outcome = run(kernel, "info");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(value_of(outcome, "modules", "loaded"), "1");
  EXPECT_THAT(value_of(outcome, "modules", "kvm").get<std::string>(),
              HasSubstr("build-id 0102030405060708"));
  EXPECT_EQ(value_of(outcome, "kvm", "tdp_enabled"), "yes");
  EXPECT_EQ(value_of(outcome, "kvm", "SPTE format"), "EPT");
}

TEST(Info, SaysThatKvmIsNotLoaded) {
  FakeKernel kernel;
  kernel.remove_variable("vm_list");
  const FakeOutcome outcome = run(kernel, "info");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(value_of(outcome, "kvm", "state"), "not loaded");
}

// What is known without debug info, and how to get it.
TEST(Info, ShowsTheTargetWithoutDebugInfo) {
  FakeKernel kernel;
  kernel.finder().files.clear();
  const FakeOutcome outcome = run(kernel, "info");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(value_of(outcome, "kernel", "release"), "fake-v6_1");
  EXPECT_THAT(value_of(outcome, "debug info", "missing").get<std::string>(),
              HasSubstr("linux-image-fake-v6_1-dbg"));
  EXPECT_EQ(value_of(outcome, "kvm", "state"), "not known");
}

TEST(Info, CountsTheVmsThatItCanReach) {
  FakeKernel kernel;
  kernel.add_vm();
  kernel.memory().poke(kernel.vm_list() + 8, 0xffff888000005000);
  const FakeOutcome outcome = run(kernel, "info");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_EQ(value_of(outcome, "kvm", "VMs"), "1");
}

TEST(Info, NeedsATarget) {
  FakeKernel kernel;
  EXPECT_EQ(run_offline(kernel, "info").status, 3);
}

}  // namespace
}  // namespace kvmscope
