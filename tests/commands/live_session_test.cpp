// A session with a kernel that runs: limits, modules that come and go, what is opened.

#include "tests/commands/live_fixture.hpp"

namespace kvmscope {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

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

TEST_F(Live, SaysWhoMustLookAnewWhenKvmWasLoadedAgainAndRootIsGivenUp) {
  EXPECT_EQ(live.run("vms").status, 0);
  live.session().gave_up_root_for({.uid = 65534, .gid = 65534});
  live.write_modules("kvm 1146880 1 - Live 0xffffffffc0900000\n");
  const FakeOutcome outcome = live.run("vms");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_THAT(outcome.notes,
              ElementsAre(HasSubstr("kvm was loaded again: what was found in it is no longer true"),
                          HasSubstr("has given up root, which it would need")));
  EXPECT_EQ(live.run_text("help").status, 0) << "which needs no target";
}

}  // namespace
}  // namespace kvmscope
