// The seccomp filter: each test lets a child try what must fail, and what must not.

#include "core/base/read_only_filter.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <future>

#include "tests/support/child.hpp"

namespace kvmscope {
namespace {

constexpr long senseless = -1;  // no call does anything with such arguments

void install() {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  install_read_only_filter();
}

std::string under_filter(const std::function<std::string()>& body) {
  return in_child([&] {
    install();
    return body();
  });
}

// The error of a call with one argument that matters, 0 if it worked.
int error_of(const RefusedCall& call, std::uint32_t argument) {
  std::array<long, 6> arguments;
  arguments.fill(senseless);
  arguments.at(call.argument) = argument;
  errno = 0;
  syscall(call.number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
          arguments[5]);
  return errno;
}

// The single bits that a call is refused for, or the whole value.
std::vector<std::uint32_t> refused_values(const RefusedCall& call) {
  if (call.when == Refuse::always) return {0};
  if (call.when == Refuse::equal) return {call.bits};
  std::vector<std::uint32_t> values;
  for (unsigned bit = 0; bit < 32; ++bit)
    if ((call.bits >> bit & 1) != 0) values.push_back(1U << bit);
  return values;
}

std::string shell(const std::string& command) {
  return fmt::format("{}", WEXITSTATUS(std::system(command.c_str())));
}

TEST(ReadOnlyFilter, RefusesEachCallOfTheTable) {
  const std::string wrong = under_filter([] {
    std::string text;
    for (const RefusedCall& call : refused_calls())
      for (const std::uint32_t value : refused_values(call))
        if (const int error = error_of(call, value); error != call.error)
          text += fmt::format("{} {:#x}: error {}\n", call.name, value, error);
    return text;
  });
  EXPECT_EQ(wrong, "");
}

TEST(ReadOnlyFilter, LetsTheSameCallsPassWithOtherArguments) {
  const std::string refused = under_filter([] {
    std::string text;
    for (const RefusedCall& call : refused_calls()) {
      const bool is_open = call.number == SYS_open || call.number == SYS_openat;
      if (is_open && error_of(call, O_RDONLY | O_CLOEXEC | O_DIRECTORY) != EFAULT)
        text += fmt::format("{} for reading\n", call.name);
      if (call.number == SYS_ioctl && error_of(call, call.bits ^ 0x80) != EBADF)
        text += fmt::format("another than {}\n", call.name);
    }
    return text;
  });
  EXPECT_EQ(refused, "");
}

TEST(ReadOnlyFilter, KnowsNoSecondWayToCallTheKernel) {
  const std::string x32 = under_filter([] {
    errno = 0;
    syscall(0x40000000L | SYS_getpid);
    return fmt::format("{}", errno);
  });
  EXPECT_EQ(x32, fmt::format("{}", EPERM));
  const std::string i386 = under_filter([] {
    long result = 20;  // getpid there
    asm volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
    return fmt::format("{}", result);
  });
  // A kernel without that entry ends the process.
  EXPECT_TRUE(i386 == fmt::format("{}", -EPERM) || i386 == fmt::format("signal {}", SIGSEGV))
      << i386;
}

TEST(ReadOnlyFilter, HoldsForProgramsThatAreStartedToo) {
  const std::string folder = testing::TempDir();
  const std::string path = folder + "/kvmscope-written";
  EXPECT_NE(under_filter([&] { return shell("(echo text >'" + path + "') 2>&-"); }), "0");
  EXPECT_NE(access(path.c_str(), F_OK), 0);
  EXPECT_EQ(under_filter([] { return shell("cat /etc/passwd | sort | head -n 1 >&2"); }), "0");
}

TEST(ReadOnlyFilter, LeavesDescriptorsThatAreOpenAsTheyAre) {
  const std::string path = testing::TempDir() + "/kvmscope-held";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(under_filter([&] {
              if (write(fd, "text", 4) != 4 || ftruncate(fd, 2) != 0) return "refused";
              return "written";
            }),
            "written");
  EXPECT_EQ(lseek(fd, 0, SEEK_END), 2);
  close(fd);
  unlink(path.c_str());
}

TEST(ReadOnlyFilter, HoldsForThreadsThatRunAlready) {
  const std::string said = in_child([] {
    std::promise<void> installed;
    std::future<int> error = std::async(std::launch::async, [&installed] {
      installed.get_future().wait();
      errno = 0;
      return open("/dev/null", O_WRONLY) < 0 ? errno : 0;
    });
    install();
    installed.set_value();
    return fmt::format("{}", error.get());
  });
  EXPECT_EQ(said, fmt::format("{}", EPERM));
}

TEST(ReadOnlyFilter, SaysWhenTheKernelTakesNone) {
  // Neither no_new_privs nor CAP_SYS_ADMIN.
  const std::string said = in_child([] {
    if (geteuid() == 0 && setuid(65534) != 0) return std::string("still root");
    install_read_only_filter();
    return std::string("installed");
  });
  EXPECT_EQ(said, "it threw: the kernel takes no seccomp filter: Permission denied");
}

}  // namespace
}  // namespace kvmscope
