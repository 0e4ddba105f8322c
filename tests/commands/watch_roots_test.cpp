// watch roots --hz: KNOWN and NEW roots, one read a sample, and what it does not claim.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "commands/catalogue.hpp"
#include "commands/shell/runner.hpp"
#include "core/base/interrupt.hpp"
#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Physical memory that calls a hook for each read of one struct.
class HookedMemory : public PhysReader {
 public:
  HookedMemory(const PhysReader& memory, PhysAddr at, std::uint64_t size,
               std::function<void()> hook)
      : memory_(memory), at_(at), size_(size), hook_(std::move(hook)) {}
  void read(PhysAddr at, MutableBytes into) const override {
    if (at.value < at_.value + size_ && at_.value < at.value + into.size()) hook_();
    memory_.read(at, into);
  }

 private:
  const PhysReader& memory_;
  PhysAddr at_;
  std::uint64_t size_;
  std::function<void()> hook_;
};

class HookedDump : public FakeDump {
 public:
  HookedDump(FakeKernel& kernel, VirtAddr at, std::uint64_t size, std::function<void()> hook)
      : FakeDump(kernel.memory().physical(), kernel.vmcoreinfo()),
        memory_(kernel.memory().physical(), FakeMemory::phys(at), size, std::move(hook)) {}
  const PhysReader& memory() const override { return memory_; }

 private:
  HookedMemory memory_;
};

// Samples the vCPU of a scenario; `before_sample` runs with the number of each sample, from 0.
class SampledScenario {
 public:
  explicit SampledScenario(std::function<void(FakeScenario&, unsigned)> before_sample)
      : before_sample_(std::move(before_sample)) {
    scenario_.kernel.kernel();
  }
  ~SampledScenario() { clear_interrupted(); }

  // The record of the only vCPU.
  json run(const std::string& line) {
    const auto open = [this]() -> std::unique_ptr<Dump> {
      return std::make_unique<HookedDump>(scenario_.kernel, scenario_.vcpu.address(),
                                          scenario_.kernel.memory().size_of("kvm_vcpu"),
                                          [this] { on_read(); });
    };
    const std::vector<Command> commands = catalogue();
    Messages messages(errors, false, false);
    Console console{.out = &out, .messages = messages};
    Session session({"fake", open}, scenario_.kernel.finder(), commands, console);
    session.settings().strict = strict;
    status = run_line(session, line);
    const json records = json::parse(out.text(), nullptr, false);
    return records.is_array() && records.size() == 1 ? records[0] : json();
  }

  Output out;
  Output errors;
  int status = -1;
  bool strict = false;
  unsigned reads = 0;    // of the vCPU
  unsigned skipped = 0;  // the reads that find the vCPU, before sampling

 private:
  void on_read() {
    if (reads++ >= skipped) before_sample_(scenario_, reads - 1 - skipped);
  }

  FakeScenario scenario_;
  std::function<void(FakeScenario&, unsigned)> before_sample_;
};

// How many reads it takes to find the vCPUs, before the first sample.
unsigned reads_before_sampling() {
  SampledScenario sampled([](FakeScenario&, unsigned) {});
  sampled.run("watch roots --hz 1000 --for 0.001 -f json");
  return sampled.reads - 1;
}

TEST(WatchRoots, TellsKnownRootsFromNewOnesWithOneReadForEachSample) {
  SampledScenario sampled([](FakeScenario& scenario, unsigned number) {
    const FakePage third = scenario.vm.add_page({.level = 4, .gfn = 0x300});
    // prev0 becomes current and back, then a root that was nowhere.
    if (number == 1) {
      scenario.vcpu.run_on(scenario.root, 0x10f000);
      scenario.vcpu.keep(0, scenario.current, 0x11e000);
    } else if (number == 2) {
      scenario.vcpu.run_on(scenario.current, 0x11e000);
      scenario.vcpu.keep(0, scenario.root, 0x10f000);
    } else if (number == 4) {
      scenario.vcpu.run_on(third, 0x300000);
    } else if (number == 5) {
      set_interrupted();
    }
  });
  sampled.skipped = reads_before_sampling();
  const json record = sampled.run("watch roots --hz 1000 -f json");
  EXPECT_EQ(sampled.status, 0) << sampled.errors.text();
  ASSERT_TRUE(record.is_object()) << sampled.out.text();
  EXPECT_EQ(record["samples"], 6);
  EXPECT_EQ(sampled.reads - sampled.skipped, 6u);
  EXPECT_EQ(record["changes"], 3);
  EXPECT_EQ(record["known"], 2);
  EXPECT_EQ(record["new"], 1);
  EXPECT_EQ(record["roots"], 3);
  EXPECT_EQ(record["cr3s"], 3);
  EXPECT_EQ(record["seen"][0]["pgd"], "0x11e000");
  // A dot is a time without a sample, anywhere on a machine that has other work.
  EXPECT_THAT(record["timeline"].get<std::string>(),
              testing::MatchesRegex("A[.]*B[.]*A[A.]*C[C.]*"));
  EXPECT_TRUE(record["ended"].is_null());
  EXPECT_THAT(sampled.errors.text(), HasSubstr("stays shorter than 1 ms, the time from one sample "
                                               "to the next, are not seen"));
}

TEST(WatchRoots, NeverCallsItsCountsHitsOrMisses) {
  SampledScenario sampled([](FakeScenario&, unsigned) {});
  sampled.run("watch roots 0 --hz 1000 --for 0.003");
  EXPECT_THAT(sampled.out.text(), HasSubstr(" samples, one every 1 ms"));
  EXPECT_THAT(sampled.out.text(), HasSubstr("0 changes: 0 KNOWN, 0 NEW"));
  EXPECT_THAT(sampled.out.text(), HasSubstr("timeline  A"));
  for (const char* word : {"hit", "miss"})
    EXPECT_EQ(sampled.out.text().find(word), std::string::npos);
}

TEST(WatchRoots, SamplesInTheMiddleOfASwitchMakeARecordTorn) {
  const auto torn_once = [](FakeScenario& scenario, unsigned number) {
    if (number == 1) scenario.vcpu.keep(0, scenario.current, 0x11e000);
    if (number == 2) scenario.vcpu.keep(0, scenario.root, 0x10f000);
  };
  for (const bool strict : {false, true}) {
    SampledScenario sampled(torn_once);
    sampled.skipped = reads_before_sampling();
    sampled.strict = strict;
    const json record = sampled.run("watch roots --hz 1000 --for 0.005 -f json");
    ASSERT_TRUE(record.is_object()) << sampled.out.text() << sampled.errors.text();
    EXPECT_EQ(sampled.status, strict ? 4 : 0);
    EXPECT_EQ(record["torn"], 1);
    EXPECT_EQ(record["changes"], 0);
    EXPECT_EQ(record["truth"], "torn");
    EXPECT_THAT(record["notes"][0].get<std::string>(), HasSubstr("1 of the samples were read in"));
  }
  SampledScenario quiet([](FakeScenario&, unsigned) {});
  const json record = quiet.run("watch roots --hz 1000 --for 0.005 -f json");
  EXPECT_EQ(record["truth"], "stable");
  EXPECT_EQ(record["torn"], 0);
}

TEST(WatchRoots, ReportsAVmThatGoesAway) {
  SampledScenario sampled([](FakeScenario& scenario, unsigned number) {
    if (number != 3) return;
    // list_del() and free.
    scenario.vm.set("vm_list.next", 0xdead000000000100);
    scenario.vcpu.set("kvm", 0);
  });
  sampled.skipped = reads_before_sampling();
  const json record = sampled.run("watch roots --hz 1000 --for 20 -f json");
  EXPECT_EQ(sampled.status, 0);
  ASSERT_TRUE(record.is_object()) << sampled.out.text() << sampled.errors.text();
  EXPECT_EQ(record["samples"], 3);
  EXPECT_GT(record["unreadable"], 0);
  EXPECT_THAT(record["ended"].get<std::string>(), HasSubstr("its VM went away within "));
}

TEST(WatchRoots, WantsASensibleRate) {
  for (const char* line : {"watch roots --hz 0", "watch roots --hz 10001", "watch roots --hz x"}) {
    SampledScenario sampled([](FakeScenario&, unsigned) {});
    sampled.run(line);
    EXPECT_EQ(sampled.status, 2) << line;
  }
}

}  // namespace
}  // namespace kvmscope
