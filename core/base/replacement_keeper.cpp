#include "core/base/replacement_keeper.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <vector>

namespace kvmscope {
namespace {

// All that it does from when it is ready.
constexpr std::array<std::uint32_t, 10> allowed_calls = {
    SYS_recvfrom, SYS_sendto, SYS_fsync,      SYS_renameat2,    SYS_unlinkat,
    SYS_close,    SYS_exit,   SYS_exit_group, SYS_rt_sigreturn, SYS_restart_syscall};

bool allow_only_calls() {
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const std::uint32_t call : allowed_calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

// Root keeps what it takes to write in a folder of another user, whom it might be behind sudo.
bool drop_capabilities() {
  if (geteuid() != 0) return true;
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return false;
  sets[0].permitted &= CAP_TO_MASK(CAP_DAC_OVERRIDE);
  sets[0].effective = sets[0].permitted;
  sets[0].inheritable = 0;
  sets[1] = {};
  return syscall(SYS_capset, &header, sets.data()) == 0;
}

// Nobody must wait for us because we hold the pipe that the other process wrote its output to.
void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = 0;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > next) close_range(next, number - 1, 0);
    next = number + 1;
  }
  close_range(next, ~0U, 0);
}

int put_in_place(const Replacement& replacement) {
  if (syscall(SYS_renameat2, replacement.folder, replacement_temporary, replacement.folder,
              replacement.name.c_str(), 0) != 0)
    return errno;
  return fsync(replacement.folder) != 0 ? errno : 0;
}

bool asked(int socket) {
  char byte = 0;
  ssize_t count = 0;
  do {
    count = recv(socket, &byte, 1, 0);
  } while (count < 0 && errno == EINTR);
  return count == 1;
}

}  // namespace

void keep_replacement(const Replacement& replacement) {
  // What ends the other process (a Ctrl-C for the whole group) does not end us.
  setsid();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU})
    std::signal(signal, SIG_IGN);
  prctl(PR_SET_NAME, "kvmscope-keeper");
  close_all_but({replacement.socket, replacement.folder, replacement.lock});
  if (!drop_capabilities() || !allow_only_calls()) {
    unlinkat(replacement.folder, replacement_lock, 0);
    _exit(1);
  }
  send(replacement.socket, "", 1, MSG_NOSIGNAL);
  if (asked(replacement.socket)) {
    const int answer = put_in_place(replacement);
    if (answer != 0) unlinkat(replacement.folder, replacement_temporary, 0);
    // Before the other process may end and another one may start.
    unlinkat(replacement.folder, replacement_lock, 0);
    send(replacement.socket, &answer, sizeof answer, MSG_NOSIGNAL);
  } else {
    unlinkat(replacement.folder, replacement_temporary, 0);
    unlinkat(replacement.folder, replacement_lock, 0);
  }
  _exit(0);
}

}  // namespace kvmscope
