// The process that cleans up after one that was killed: with real processes, on a folder.

#include "core/probe/guardian.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

namespace kvmscope::probe {
namespace {

namespace fs = std::filesystem;

constexpr const char* name = "kvmscope_1_2";

// A folder that looks like tracefs to somebody who cleans up.
class Guarded : public testing::Test {
 protected:
  Guarded() {
    std::string pattern = (fs::temp_directory_path() / "guardianXXXXXX").string();
    root_ = mkdtemp(pattern.data());
    fs::create_directories(instance());
    std::ofstream(root_ / "kprobe_events") << "p:" << name << "/load kvm:kvm_mmu_load\n";
  }
  ~Guarded() override { fs::remove_all(root_); }

  fs::path instance() const { return root_ / "instances" / name; }
  std::string events() const {
    std::ifstream file(root_ / "kprobe_events");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool is_clean() const {
    return !fs::exists(instance()) &&
           events().find(std::string("-:") + name + "/load") != std::string::npos;
  }
  // Whether it comes true within a second.
  static bool soon(const std::function<bool()>& condition) {
    for (int i = 0; i < 100 && !condition(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return condition();
  }

  fs::path root_;
};

TEST_F(Guarded, IsCleanedWithinASecondOfAKill) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const Guardian guardian(root_.string(), name);
    if (write(ready[1], "r", 1) == 1) pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_FALSE(is_clean());
  kill(child, SIGKILL);
  EXPECT_TRUE(soon([&] { return is_clean(); }));
  // It does not keep what it inherited: nobody waits for the end of our output because of it.
  close(ready[1]);
  EXPECT_EQ(read(ready[0], &byte, 1), 0);
  close(ready[0]);
  waitpid(child, nullptr, 0);
}

TEST_F(Guarded, IsLeftAloneWhenTheGuardianIsDismissed) {
  pid_t pid = 0;
  {
    const Guardian guardian(root_.string(), name);
    pid = guardian.pid();
  }
  EXPECT_TRUE(fs::exists(instance()));
  EXPECT_EQ(events(), std::string("p:") + name + "/load kvm:kvm_mmu_load\n");
  EXPECT_EQ(kill(pid, 0), -1) << "it has ended, and somebody has waited for it";
}

TEST_F(Guarded, SurvivesWhatEndsTheOthers) {
  const Guardian guardian(root_.string(), name);
  EXPECT_TRUE(soon([&] { return getsid(guardian.pid()) == guardian.pid(); }));
  EXPECT_TRUE(soon([&] {
    std::ifstream file("/proc/" + std::to_string(guardian.pid()) + "/comm");
    std::string comm;
    return std::getline(file, comm) && comm == "kvmscope-guard";
  })) << "it ignores signals by then";
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) kill(guardian.pid(), signal);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(waitpid(guardian.pid(), nullptr, WNOHANG), 0);
  EXPECT_TRUE(fs::exists(instance()));
}

}  // namespace
}  // namespace kvmscope::probe
