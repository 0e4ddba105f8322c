// timeline, over series of snapshots in files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "commands/snapshot/series.hpp"
#include "tests/commands/snapshot/snapshot_files.hpp"
#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using json = nlohmann::ordered_json;
using testing::HasSubstr;

// The small snapshot with its vCPU on another root, and another number of pages.
json point(int number, const std::string& root, int pages) {
  json document = small_snapshot();
  document["time"] = fmt::format("2026-01-01T00:{:02}:00Z", number);
  json& vm = document["vms"]["95-4"];
  if (root == "other") {
    std::swap(vm["roots"][0]["hpa"], vm["roots"][1]["hpa"]);
    std::swap(vm["roots"][0]["pgd"], vm["roots"][1]["pgd"]);
  } else if (root != "same") {
    vm["roots"][0]["hpa"] = root;
  }
  vm["page_counts"]["pages"] = pages;
  return document;
}

class Timeline : public testing::Test {
 protected:
  void add(const json& document) {
    names_ += " " + files_.add(fmt::format("{}.json", ++count_), document);
  }
  FakeOutcome show(const std::string& options = "") {
    return run(kernel_, "timeline" + names_ + options);
  }

  FakeKernel kernel_;
  SnapshotFiles files_;
  std::string names_;
  int count_ = 0;
};

TEST_F(Timeline, CountsChangesOfRoots) {
  add(point(0, "same", 10));
  add(point(1, "other", 20));   // out of prev_roots
  add(point(2, "0x30000", 5));  // never seen
  add(point(3, "0x30000", 40));
  const FakeOutcome outcome = show();
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records[0], nlohmann::json::parse(R"({
      "vm": "95-4", "vcpu": 0, "first": "2026-01-01T00:00:00Z", "last": "2026-01-01T00:03:00Z",
      "snapshots": 4, "unreadable": 0, "roots": 3, "changes": 2, "known": 1, "new": 1,
      "timeline": "ABCC", "pages_min": 5, "pages_max": 40, "pages_last": 40, "bytes_last": 8192,
      "unsync_last": null, "sparkline": "▃▅▂█"})"));
}

TEST_F(Timeline, HasAPointForEachSnapshotAndVcpu) {
  add(point(0, "same", 10));
  add(point(1, "other", 20));
  const FakeOutcome outcome = show(" --points");
  ASSERT_EQ(outcome.records.size(), 2u);
  EXPECT_EQ(outcome.records[1]["hpa"], "0x20000");
  EXPECT_EQ(outcome.records[1]["pages"], 20);
  EXPECT_EQ(outcome.records[1]["time"], "2026-01-01T00:01:00Z");
}

TEST_F(Timeline, LeavesOutWhatCannotBeRead) {
  add(point(0, "same", 10));
  names_ += " " + files_.add_text("bad", "{");
  json incomplete = point(1, "other", 0);
  incomplete["vms"]["95-4"]["incomplete"] = {"pages", "roots"};
  add(incomplete);
  const FakeOutcome outcome = show();
  EXPECT_EQ(outcome.status, 4);
  EXPECT_THAT(outcome.notes, testing::ElementsAre(HasSubstr("bad is no snapshot")));
  EXPECT_EQ(outcome.records[0]["snapshots"], 1);
  EXPECT_EQ(outcome.records[0]["unreadable"], 1);
  EXPECT_EQ(outcome.records[0]["sparkline"], "█ ");
  EXPECT_EQ(outcome.records[0]["pages_last"], nullptr);
}

TEST_F(Timeline, TellsVmsWithTheSameIdApart) {
  add(point(0, "same", 10));
  json other = point(1, "same", 20);
  other["vms"]["95-4"]["vm"]["kvm"] = "0xbeef";
  add(other);
  const FakeOutcome outcome = show();
  ASSERT_EQ(outcome.records.size(), 2u);
  EXPECT_EQ(outcome.records[0]["pages_last"], 10);
  EXPECT_EQ(outcome.records[1]["sparkline"], " █");
}

TEST_F(Timeline, IsOfOneHostAndInOrder) {
  add(point(1, "same", 10));
  add(point(0, "same", 10));
  EXPECT_THAT(show().notes, testing::ElementsAre(HasSubstr("is older than the one before it")));
  json other = point(2, "same", 10);
  other["host"]["name"] = "other";
  add(other);
  EXPECT_EQ(show().status, 2);
  names_ = " /no/such/file";
  EXPECT_EQ(show().status, 3);
}

TEST(Sparkline, ShowsTheLargestOfEachPart) {
  EXPECT_EQ(snapshots::sparkline({0, 1, 2, 3, 4, 5, 6, 7}, 8), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(snapshots::sparkline({7, 0, 0, 0}, 2), "█▁");
  EXPECT_EQ(snapshots::sparkline({std::nullopt, 1, std::nullopt, std::nullopt}, 2), "█ ");
  EXPECT_EQ(snapshots::sparkline({0, 0}, 8), "▁▁");
  EXPECT_EQ(snapshots::sparkline({}, 8), "");
}

TEST(Metrics, AreThoseOfTheSummary) {
  FakeScenario scenario;
  const FakeOutcome outcome = run_text(scenario.kernel, "metrics");
  EXPECT_EQ(outcome.status, 0);
  for (const char* line :
       {"# TYPE kvmscope_vm_pages gauge\n", "kvmscope_vms 1\n", "kvmscope_incomplete 0\n",
        "kvmscope_vm_pages{vm=\"95-4\",level=\"1\"} 3\n",
        "kvmscope_vm_page_table_bytes{vm=\"95-4\"} 36864\n",
        "kvmscope_vm_unsync_pages{vm=\"95-4\"} 2\n", "mmu=\"shadow\"} 1\n"})
    EXPECT_THAT(outcome.text, HasSubstr(line));
}

TEST(Metrics, SayWhenSomethingIsMissing) {
  FakeScenario scenario;
  scenario.kernel.memory().leave_out(scenario.root.address, 64);
  const FakeOutcome outcome = run_text(scenario.kernel, "metrics");
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.notes.size(), 1u);
  EXPECT_THAT(outcome.text, HasSubstr("kvmscope_incomplete 1\n"));
}

}  // namespace
}  // namespace kvmscope
