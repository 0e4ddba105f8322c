// diff, of snapshots in files and of kernels built in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/commands/snapshot/snapshot_files.hpp"
#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using json = nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Diff : public testing::Test {
 protected:
  // What differs once `change` was made to the only VM, or to the document.
  FakeOutcome changed(const std::function<void(json&)>& change, const std::string& options = "") {
    json after = small_snapshot();
    change(after["vms"]["95-4"]);
    return between(small_snapshot(), after, options);
  }
  FakeOutcome between(const json& before, const json& after, const std::string& options = "") {
    FakeOutcome outcome = run_offline(kernel_, "diff " + files_.add("a", before) + " " +
                                                   files_.add("b", after) + options + " -f json");
    outcome.records = nlohmann::json::parse(outcome.text, nullptr, false);
    return outcome;
  }
  // "SUBJECT: CHANGE" of each difference.
  static std::vector<std::string> words(const FakeOutcome& outcome) {
    std::vector<std::string> found;
    for (const nlohmann::json& record : outcome.records)
      found.push_back(record["subject"].get<std::string>() + ": " +
                      record["change"].get<std::string>());
    return found;
  }

  FakeKernel kernel_;
  SnapshotFiles files_;
};

TEST_F(Diff, OfTheSameIsEmpty) {
  const FakeOutcome outcome = changed([](json&) {}, " --exit-code");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, nlohmann::json::array());
  EXPECT_THAT(outcome.notes, IsEmpty());
}

TEST_F(Diff, FollowsRootsThroughTheirSlots) {
  const FakeOutcome outcome = changed(
      [](json& vm) {
        std::swap(vm["roots"][0]["slot"], vm["roots"][1]["slot"]);
        vm["roots"][1]["role_text"] = "8-byte q0 wux invalid nxe ad";
        json fresh = vm["roots"][0];
        fresh["hpa"] = "0x30000";
        fresh["slot"] = "prev1";
        vm["roots"].push_back(fresh);
      },
      " --exit-code");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(words(outcome), ElementsAre("root: into prev_roots", "root: out of prev_roots",
                                          "root: became invalid", "root: new"));
  EXPECT_EQ(outcome.records[0], nlohmann::json::parse(R"({
      "vm": "95-4", "subject": "root", "name": "0", "change": "into prev_roots", "level": 4,
      "address": "0x10000", "last": null, "gfn": "0x1", "before": "current", "after": "prev0"})"));
}

TEST_F(Diff, SaysWhichRootWasDropped) {
  EXPECT_THAT(words(changed([](json& vm) { vm["roots"][1]["valid"] = false; })),
              ElementsAre("root: dropped"));
}

TEST_F(Diff, TellsPagesApartByWhatTheyShadow) {
  const FakeOutcome outcome = changed([](json& vm) {
    vm["pages"][0]["gfn"] = "0x77";  // the memory of another page now
    vm["pages"][1]["unsync"] = true;
    json fresh = vm["pages"][1];
    fresh["sp"] = "0xd000";
    vm["pages"].push_back(fresh);
  });
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(words(outcome),
              ElementsAre("page: zapped", "page: built", "page: became unsync", "page: built"));
  EXPECT_EQ(outcome.records[1]["gfn"], "0x77");
}

TEST_F(Diff, ShowsGrowth) {
  const FakeOutcome outcome = changed([](json& vm) {
    vm["page_counts"]["bytes"] = 12288;
    vm["page_counts"]["by_role"][1]["pages"] = 2;
  });
  EXPECT_THAT(words(outcome), ElementsAre("tables: grew", "tables: grew"));
  EXPECT_EQ(outcome.records[0]["before"], 8192);
  EXPECT_EQ(outcome.records[1]["level"], 1);
}

TEST_F(Diff, FindsHugePagesThatWereSplit) {
  const FakeOutcome outcome = changed([](json& vm) {
    json& runs = vm["trees"][0]["runs"];
    runs[1]["first"] = "0x400000";
    runs.insert(runs.begin() + 1, json::parse(R"({"first": "0x200000", "last": "0x3fffff",
                                                  "level": 1, "access": "r-x-", "dirty": true})"));
  });
  EXPECT_THAT(words(outcome),
              ElementsAre("range: split", "range: lost write", "range: gained dirty"));
  for (const nlohmann::json& record : outcome.records) {
    EXPECT_EQ(record["address"], "0x200000");
    EXPECT_EQ(record["last"], "0x3fffff");
    EXPECT_EQ(record["before"], "2M rwx-");
    EXPECT_EQ(record["after"], "4K r-x- D");
  }
}

TEST_F(Diff, FindsRangesThatCameAndWent) {
  const FakeOutcome outcome = changed([](json& vm) {
    json& runs = vm["trees"][0]["runs"];
    runs[0]["last"] = "0x1fff";
    runs[1]["last"] = "0x7fffff";
    runs[1]["dirty"] = true;
  });
  EXPECT_THAT(words(outcome),
              ElementsAre("range: unmapped", "range: gained dirty", "range: mapped"));
  EXPECT_EQ(outcome.records[0]["address"], "0x2000");
  EXPECT_EQ(outcome.records[0]["last"], "0x3fff");
  EXPECT_EQ(outcome.records[2]["address"], "0x600000");
}

TEST_F(Diff, TellsVmsByIdAndAddress) {
  const FakeOutcome outcome = changed([](json& vm) { vm["vm"]["kvm"] = "0xbeef"; });
  EXPECT_THAT(words(outcome), ElementsAre("vm: gone", "vm: appeared"));
  json without = small_snapshot();
  without["vms"] = json::object();
  EXPECT_THAT(words(between(without, small_snapshot())), ElementsAre("vm: appeared"));
}

TEST_F(Diff, FollowsVcpus) {
  const FakeOutcome outcome = changed([](json& vm) {
    vm["vcpus"][0]["paging"] = "pae";
    vm["vcpus"].push_back(json::parse(R"({"vcpu": 3, "paging": "none"})"));
  });
  EXPECT_THAT(words(outcome), ElementsAre("vcpu: changed paging", "vcpu: appeared"));
}

TEST_F(Diff, DoesNotCompareWhatIsIncomplete) {
  const FakeOutcome outcome = changed([](json& vm) {
    vm["pages"].clear();
    vm["page_counts"]["bytes"] = 0;
    vm["incomplete"] = {"pages"};
  });
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.records, nlohmann::json::array());
  EXPECT_THAT(outcome.notes, testing::Contains(HasSubstr("pages of VM 95-4 are not compared")));
}

TEST_F(Diff, KnowsAVmWhoseIdWasLostByItsAddress) {
  const json before = small_snapshot();
  json after = small_snapshot();
  after["vms"] = json::object();
  after["vms"]["0xa000"] = before["vms"]["95-4"];
  after["vms"]["0xa000"]["vm"]["id"] = {{"lost", "excluded"}};
  for (const FakeOutcome& outcome : {between(before, after), between(after, before)}) {
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.records, nlohmann::json::array());
  }
  // Where both have one, it tells.
  after["vms"]["96-4"] = before["vms"]["95-4"];
  after["vms"].erase("0xa000");
  EXPECT_THAT(words(between(before, after)), ElementsAre("vm: gone", "vm: appeared"));
}

TEST_F(Diff, TakesALostValueForNoOther) {
  const json lost = {{"lost", "excluded"}};
  const FakeOutcome pages = changed([&](json& vm) {
    for (const char* name : {"level", "gfn", "role", "unsync"}) vm["pages"][1][name] = lost;
  });
  EXPECT_EQ(pages.status, 4);
  EXPECT_EQ(pages.records, nlohmann::json::array());
  EXPECT_THAT(pages.notes, ElementsAre(HasSubstr("1 pages of VM 95-4 are not compared")));
  const FakeOutcome built = changed([&](json& vm) {
    vm["pages"][1]["sp"] = "0xd000";
    for (const char* name : {"level", "gfn", "role"}) vm["pages"][1][name] = lost;
  });
  EXPECT_THAT(words(built), ElementsAre("page: zapped", "page: built"));
  EXPECT_EQ(built.records[1]["gfn"], nullptr);
  EXPECT_EQ(built.records[1]["level"], nullptr);
  const FakeOutcome counts = changed([&](json& vm) {
    vm["page_counts"]["by_role"].erase(1);
    vm["page_counts"]["unreadable"] = 1;
  });
  EXPECT_EQ(counts.status, 4);
  EXPECT_EQ(counts.records, nlohmann::json::array());
  EXPECT_EQ(changed([&](json& vm) { vm["vcpus"][0]["paging"] = lost; }).records,
            nlohmann::json::array());
  json unknown = small_snapshot();
  unknown["vms"]["95-4"]["roots"][0]["role_text"] = lost;
  json invalid = small_snapshot();
  invalid["vms"]["95-4"]["roots"][0]["role_text"] = "8-byte q0 wux invalid nxe ad";
  EXPECT_EQ(between(unknown, invalid).records, nlohmann::json::array());
  EXPECT_THAT(words(between(small_snapshot(), invalid)), ElementsAre("root: became invalid"));
}

TEST_F(Diff, DoesNotCompareATreeThatChangedWhileItWasRead) {
  const FakeOutcome outcome = changed([](json& vm) {
    vm["trees"][0]["runs"].clear();
    vm["trees"][0]["complete"] = false;
  });
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, nlohmann::json::array());
  EXPECT_THAT(outcome.notes, testing::Contains(HasSubstr("what 0.0 of VM 95-4 maps")));
}

TEST_F(Diff, ComparesWhatBothDepthsHold) {
  json shallow = small_snapshot();
  shallow["depth"] = "summary";
  for (const char* section : {"pages", "trees"}) shallow["vms"]["95-4"].erase(section);
  const FakeOutcome outcome = between(small_snapshot(), shallow);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.records, nlohmann::json::array());
  EXPECT_THAT(outcome.notes, testing::Contains(HasSubstr("only what both hold is compared")));
}

TEST_F(Diff, RefusesAnotherHost) {
  json other = small_snapshot();
  other["host"]["name"] = "other";
  const FakeOutcome outcome = between(small_snapshot(), other);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.notes, testing::Contains(HasSubstr("of the host 'host'")));
}

TEST_F(Diff, ShowsATable) {
  json after = small_snapshot();
  after["vms"]["95-4"]["roots"][1]["valid"] = false;
  const FakeOutcome outcome = run_offline(
      kernel_, "diff " + files_.add("a", small_snapshot()) + " " + files_.add("b", after));
  EXPECT_EQ(outcome.text,
            "VM    SUBJECT  NAME  CHANGE   L  ADDRESS  LAST  GFN  BEFORE  AFTER\n"
            "95-4  root     0     dropped  4  0x20000  -     0x2  prev0   -\n"
            "1 differences from 2026-01-01T00:00:00Z to 2026-01-01T00:00:00Z\n");
}

TEST_F(Diff, WithoutASecondFileLooksAtTheTarget) {
  FakeScenario scenario;
  const std::string path = files_.path("now");
  ASSERT_EQ(run_text(scenario.kernel, "snapshot --depth trees -o " + path).status, 0);
  EXPECT_EQ(run(scenario.kernel, "diff " + path).records, nlohmann::json::array());
  scenario.kernel.memory().set(scenario.synced.address, "kvm_mmu_page", "unsync", 1);
  const FakeOutcome outcome = run(scenario.kernel, "diff " + path);
  EXPECT_THAT(words(outcome), ElementsAre("page: became unsync"));
  EXPECT_EQ(run_offline(kernel_, "diff " + path).status, 3);
}

struct BadFile {
  const char* name;
  std::string text;
  const char* words;
};

class DiffOfABadFile : public testing::TestWithParam<BadFile> {};

TEST_P(DiffOfABadFile, SaysWhatIsWrong) {
  FakeKernel kernel;
  const SnapshotFiles files;
  const std::string good = files.add("good", small_snapshot());
  const std::string bad = files.add_text("bad", GetParam().text);
  for (const std::string& line : {"diff " + bad + " " + good, "diff " + good + " " + bad}) {
    const FakeOutcome outcome = run_offline(kernel, line);
    EXPECT_EQ(outcome.status, 3);
    EXPECT_THAT(outcome.notes, ElementsAre(HasSubstr(GetParam().words)));
  }
}

const std::string good_text = snapshot_text(small_snapshot());

INSTANTIATE_TEST_SUITE_P(
    Files, DiffOfABadFile,
    testing::Values(
        BadFile{"Empty", "", "no snapshot"}, BadFile{"Text", "hello", "no snapshot"},
        BadFile{"Number", "7", "no snapshot"}, BadFile{"List", "[{}]", "no snapshot"},
        BadFile{"Other", R"({"records": []})", "no snapshot"},
        BadFile{"NoSchema", small_snapshot().dump(), "no snapshot"},
        BadFile{"Version", snapshot_text(small_snapshot(), "kvmscope.snapshot/2"),
                "has the schema 'kvmscope.snapshot/2'"},
        BadFile{"Cut", good_text.substr(0, good_text.size() / 2), "is cut short"},
        BadFile{"Damaged", std::string(good_text).insert(good_text.find("\"host\""), "}"),
                "is damaged"},
        BadFile{"CutZstd", std::string("\x28\xb5\x2f\xfd\x24", 5), "cut short"},
        BadFile{"DamagedZstd", "\x28\xb5\x2f\xfd" + good_text, "is damaged"},
        BadFile{"Deep", R"({"schema": "kvmscope.snapshot/1", "a": )" + std::string(100, '['),
                "nested too deeply"},
        BadFile{"LongText",
                R"({"schema": "kvmscope.snapshot/1", "time": ")" + std::string(17 << 20, 'x'),
                "a text of more than"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST_F(Diff, OfSomethingThatIsNoFileSaysSo) {
  const std::string good = files_.add("good", small_snapshot());
  for (const std::string bad : {"/dev/null", "/tmp", "/no/such/file"})
    EXPECT_EQ(run_offline(kernel_, "diff " + bad + " " + good).status, 3) << bad;
}

}  // namespace
}  // namespace kvmscope
