// Giving up root: in a child, which tells what the kernel says of it then.

#include "core/base/privilege.hpp"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "tests/support/child.hpp"

namespace kvmscope {
namespace {

constexpr User someone = {1234, 5678};

// A line of /proc/self/status, its blanks made one.
std::string status_of(std::string_view name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(std::string(name) + ":")) continue;
    std::string words;
    for (const char c : line.substr(name.size() + 1))
      if (c != '\t' && c != ' ')
        words += c;
      else if (!words.empty() && words.back() != ' ')
        words += ' ';
    while (words.ends_with(' ')) words.pop_back();
    return words;
  }
  return "no such line";
}

TEST(UserBehindSudo, IsTakenFromTwoNumbersOfAnOrdinaryUser) {
  EXPECT_EQ(user_behind_sudo("1234", "5678"), someone);
}

TEST(UserBehindSudo, IsNobodyWhenTheNumbersAreMissingOrNoOrdinaryUser) {
  for (const auto& [uid, gid] :
       std::initializer_list<std::pair<const char*, const char*>>{{nullptr, nullptr},
                                                                  {"1234", nullptr},
                                                                  {nullptr, "5678"},
                                                                  {"", ""},
                                                                  {"0", "0"},
                                                                  {"0", "5678"},
                                                                  {"1234", "0"},
                                                                  {"4294967295", "5678"},
                                                                  {"1234", "4294967295"},
                                                                  {"4294967296", "5678"},
                                                                  {"-1", "5678"},
                                                                  {"1234 ", "5678"},
                                                                  {"0x1234", "5678"},
                                                                  {"root", "root"}})
    EXPECT_EQ(user_behind_sudo(uid, gid), nobody)
        << (uid != nullptr ? uid : "-") << ' ' << (gid != nullptr ? gid : "-");
}

class GivingUpRoot : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "there is no root to give up";
  }
  static std::string after(std::string_view line) {
    return in_child([&] {
      give_up_privileges(someone);
      return status_of(line);
    });
  }
};

TEST_F(GivingUpRoot, BecomesTheUserWithNoOtherGroup) {
  EXPECT_EQ(after("Uid"), "1234 1234 1234 1234");
  EXPECT_EQ(after("Gid"), "5678 5678 5678 5678");
  EXPECT_EQ(after("Groups"), "");
}

TEST_F(GivingUpRoot, LeavesNoCapabilityInAnySet) {
  for (const std::string_view set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_EQ(after(set), "0000000000000000") << set;
  EXPECT_EQ(after("NoNewPrivs"), "1");
}

TEST_F(GivingUpRoot, LeavesAProcessThatOthersOfTheUserCannotLookInto) {
  EXPECT_EQ(in_child([] {
              give_up_privileges(someone);
              return std::string(prctl(PR_GET_DUMPABLE) == 0 ? "not dumpable" : "dumpable");
            }),
            "not dumpable");
}

TEST_F(GivingUpRoot, IsForGood) {
  EXPECT_EQ(in_child([] {
              give_up_privileges(someone);
              const bool back = setuid(0) == 0 || setgid(0) == 0 || seteuid(0) == 0;
              return std::string(back || has_privileges() ? "root again" : "no way back");
            }),
            "no way back");
}

TEST_F(GivingUpRoot, IsNoticed) {
  EXPECT_TRUE(has_privileges());
  EXPECT_EQ(in_child([] {
              give_up_privileges(someone);
              return std::string(has_privileges() || present_user() != someone ? "not" : "noticed");
            }),
            "noticed");
}

TEST_F(GivingUpRoot, SaysWhichStepFailed) {
  // As root of a container that was given no capabilities.
  const std::string said = in_child([] {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    if (syscall(SYS_capset, &header, none) != 0) return std::string("it kept its capabilities");
    give_up_privileges(someone);
    return std::string("it worked");
  });
  EXPECT_EQ(said,
            "it threw: cannot give up root (empty the bounding set: Operation not permitted): run "
            "kvmscope as an ordinary user, or with sudo outside this container");
}

}  // namespace
}  // namespace kvmscope
