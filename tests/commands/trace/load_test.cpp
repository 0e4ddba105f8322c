// trace load: from hits to rows, totals and histograms, on a kernel in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "commands/trace/load_parts.hpp"
#include "commands/trace/trace.hpp"
#include "core/base/interrupt.hpp"
#include "tests/commands/trace/listened.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::tracing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t start = 50 * second;
constexpr std::uint64_t no_root = ~0ULL;

// A kernel with two VMs and the functions that are probed.
struct Probed {
  FakeKernel kernel;

  explicit Probed(bool module = true) : kernel({.module = module}) {
    for (const char* function : {"kvm_mmu_new_pgd", "kvm_mmu_load", "kvm_mmu_reset_context",
                                 "kvm_mmu_free_obsolete_roots", "kvm_mmu_unload"})
      kernel.set_variable(function, 0);
    FakeVm& first = kernel.add_vm();
    first.add_vcpu(0);
    first.add_vcpu(3);
    kernel.add_vm().add_vcpu(0);
  }
};

// Gives the hits of one run to a listener.
class LoadRun {
 public:
  LoadRun(Probed& probed, bool summary, const std::string& format = "json")
      : kernel_(probed.kernel),
        plan_(load_plan(kernel_.kvm())),
        listened_(load(), format),
        listener_(load_listener(kernel_.kvm(), plan_.sources, summary, listened_.rows())) {
    listener_->armed({}, start);
  }

  bool interrupt_hits = false;  // Ctrl-C comes before each

  // `at_ms`: since the start.
  bool hit(std::string_view event, std::uint64_t at_ms, unsigned vm = 0, std::uint64_t idx = 0,
           std::uint64_t root = 0x1000) {
    const auto source = std::find_if(plan_.sources.begin(), plan_.sources.end(),
                                     [&](const LoadSource& one) { return one.event == event; });
    if (source == plan_.sources.end()) throw std::runtime_error("no such event");
    const kvm::Vcpu vcpu = kernel_.vcpu(vm, idx);
    if (interrupt_hits) set_interrupted();
    const bool counted =
        listener_->hit({.probe = static_cast<std::size_t>(source - plan_.sources.begin()),
                        .time_ns = start + at_ms * second / 1000,
                        .values = {vcpu.address.value, kernel_.vm(vm).address.value,
                                   vcpu.fields.get(kernel_.kvm().layout().vcpu().vcpu_id), root}});
    clear_interrupted();
    return counted;
  }

  // Nothing happened from the last hit until then.
  void end(std::uint64_t at_ms) { end_ms_ = at_ms; }
  std::string text() {
    if (end_ms_ != 0) listener_->time(start + end_ms_ * second / 1000);
    listener_->finish();
    return listened_.text();
  }
  json records(const std::string& kind) {
    if (all_.is_null()) all_ = json::parse(text());
    json some = json::array();
    for (const json& record : all_)
      if (record["kind"] == kind) some.push_back(record);
    return some;
  }

 private:
  FakeKernel& kernel_;
  LoadPlan plan_;
  Listened listened_;
  std::unique_ptr<Listener> listener_;
  std::uint64_t end_ms_ = 0;
  json all_;
};

TEST(LoadPlan, ProbesTheFunctionsThatThisKernelHas) {
  Probed probed;
  const LoadPlan plan = load_plan(probed.kernel.kvm());
  std::vector<std::string> places;
  for (const probe::Probe& probe : plan.plan.probes) places.push_back(probe.place);
  EXPECT_THAT(places,
              ElementsAre("kvm:kvm_mmu_new_pgd", "kvm:kvm_mmu_load", "kvm:kvm_mmu_reset_context",
                          "kvm:kvm_mmu_free_obsolete_roots", "kvm:kvm_mmu_unload"));
  const kvm::VcpuFields& fields = probed.kernel.kvm().layout().vcpu();
  const std::vector<probe::FetchArg>& args = plan.plan.probes[0].args;
  EXPECT_EQ(args.at(load_id).fetch, fmt::format("+{}(%di):u32", fields.vcpu_id.offset));
  EXPECT_EQ(args.at(load_kvm).fetch, fmt::format("+{}(%di):x64", fields.kvm.offset));
}

TEST(LoadPlan, NamesNoModuleWhenKvmIsBuiltIn) {
  Probed probed(false);
  EXPECT_EQ(load_plan(probed.kernel.kvm()).plan.probes[0].place, "kvm_mmu_new_pgd");
}

TEST(LoadPlan, TakesTheOlderNameOfASwitch) {
  Probed probed;
  probed.kernel.remove_variable("kvm_mmu_new_pgd");
  probed.kernel.set_variable("kvm_mmu_new_cr3", 0);
  EXPECT_EQ(load_plan(probed.kernel.kvm()).plan.probes[0].place, "kvm:kvm_mmu_new_cr3");
}

TEST(LoadPlan, OfOneVmLeavesTheOthersToTheKernel) {
  Probed probed;
  EXPECT_EQ(load_filter(probed.kernel.vm(1)),
            fmt::format("kvm == {:#x}", probed.kernel.vm(1).address.value));
}

TEST(LoadPlan, NeedsTheLoadItself) {
  Probed probed;
  probed.kernel.remove_variable("kvm_mmu_load");
  EXPECT_ERROR(load_plan(probed.kernel.kvm()), ErrorKind::unavailable,
               "no function kvm_mmu_load to probe");
}

TEST(Load, CountsHitsAndMissesOfEachVcpu) {
  Probed probed;
  LoadRun run(probed, true);
  for (std::uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(run.hit("switch", i), i > 0) << "--count counts switches whose effect was seen";
    EXPECT_FALSE(run.hit("switch", i, 0, 1));
    EXPECT_TRUE(run.hit("load", i, 0, 1));
    run.hit("switch", i, 1, 0);
    run.hit("obsolete", i, 1, 0);
    run.hit("load", i, 1, 0);
  }
  run.end(200);
  const json totals = run.records("total");
  ASSERT_EQ(totals.size(), 6U) << "three vCPUs, two VMs, all";
  const auto of = [&](const json& vm, const json& vcpu) {
    for (const json& total : totals)
      if (total["vm"] == vm && total["vcpu"] == vcpu)
        return std::vector<int>{total["switches"], total["hits"], total["misses"], total["loads"],
                                total["obsolete"]};
    return std::vector<int>();
  };
  EXPECT_THAT(of(0, 0), ElementsAre(10, 10, 0, 0, 0));
  EXPECT_THAT(of(0, 3), ElementsAre(10, 0, 10, 10, 0));
  EXPECT_THAT(of(0, nullptr), ElementsAre(20, 10, 10, 10, 0));
  EXPECT_THAT(of(1, 0), ElementsAre(10, 10, 0, 10, 10));
  EXPECT_THAT(of(nullptr, nullptr), ElementsAre(30, 20, 10, 20, 10));
}

TEST(Load, HasARowForEachSecondInWhichSomethingHappened) {
  Probed probed;
  LoadRun run(probed, false);
  run.hit("switch", 100);
  run.hit("load", 100);
  run.hit("switch", 200);
  run.hit("switch", 210);
  run.hit("load", 210);
  run.hit("switch", 3500);
  run.end(3700);
  const json rows = run.records("second");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["switches"], 3);
  EXPECT_EQ(rows[0]["hits"], 1);
  EXPECT_EQ(rows[0]["misses"], 2);
  EXPECT_EQ(rows[1]["switches"], 1);
  EXPECT_EQ(rows[1]["hits"], 1);
  EXPECT_TRUE(rows[0]["low"].is_null());
}

TEST(Load, MakesAHistogramOfWholeSeconds) {
  Probed probed;
  LoadRun run(probed, true);
  for (std::uint64_t ms : {100, 200, 1100, 1200, 2100}) run.hit("load", ms);
  run.hit("load", 3100);  // in a second that is cut short
  json buckets = json::array();
  for (const json& bucket : run.records("bucket"))
    if (bucket["vcpu"] == 0) buckets.push_back({bucket["low"], bucket["high"], bucket["seconds"]});
  EXPECT_EQ(buckets, json::parse("[[1, 2, 1], [2, 3, 2]]"));
  EXPECT_EQ(run.records("bucket")[0]["of"], 3);
}

TEST(Load, ARunOfLessThanASecondHasAHistogram) {
  Probed probed;
  LoadRun run(probed, true);
  run.hit("load", 100);
  EXPECT_EQ(run.records("bucket")[0]["seconds"], 1);
}

TEST(Load, ReadsLikeThis) {
  Probed probed;
  LoadRun run(probed, false, "table");
  for (std::uint64_t i = 0; i < 3; ++i) {
    run.hit("switch", i * 1000, 0, 1);
    run.hit("load", i * 1000 + 1, 0, 1);
    if (i == 1) {
      run.hit("reset", i * 1000 + 2, 0, 1);
      run.hit("load", i * 1000 + 2, 0, 1);
    }
  }
  const std::string text = run.text();
  EXPECT_THAT(text, HasSubstr("  0.3           1 switches        0 hits        1 misses        "
                              "2 loads  reset 1\n"));
  EXPECT_THAT(text,
              HasSubstr("\n"
                        "total     0.3           3 switches        0 hits        3 misses   "
                        "     4 loads  reset 1\n"
                        "loads per second, 2 s\n"
                        "             [1, 2)      1 |@@@@@@@@@@@@@@@@@@@@                    |\n"
                        "             [2, 3)      1 |@@@@@@@@@@@@@@@@@@@@                    |\n"
                        "\ntotal     VM 0  "));
}

TEST(Load, LosesNoHitToACtrlCThatComesWhileItReadsNames) {
  Probed probed;
  LoadRun run(probed, true);
  run.interrupt_hits = true;
  for (std::uint64_t second = 0; second < 5; ++second) run.hit("load", second * 1000);
  EXPECT_EQ(run.records("total").back()["loads"], 5);
}

TEST(Load, NamesAVmThatWasGoneBeforeItWasSeen) {
  Probed probed;
  Listened listened(load(), "table");
  const LoadPlan plan = load_plan(probed.kernel.kvm());
  const std::unique_ptr<Listener> listener =
      load_listener(probed.kernel.kvm(), plan.sources, true, listened.rows());
  listener->armed({}, start);
  listener->hit({.probe = 0, .time_ns = start, .values = {1, 2, 7, no_root}});
  listener->finish();
  EXPECT_THAT(listened.text(), HasSubstr("total     ?.7 "));
}

}  // namespace
}  // namespace kvmscope::tracing
