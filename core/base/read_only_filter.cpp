#include "core/base/read_only_filter.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// O_RDONLY is 0: what is left is reading. O_TMPFILE includes O_DIRECTORY, which reading may have.
constexpr std::uint32_t writing =
    O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
// A new user namespace would give capabilities back.
constexpr std::uint32_t new_namespace = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                        CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

// Numbers that Debian 12's headers do not have yet (arch/x86/entry/syscalls/syscall_64.tbl).
constexpr std::uint32_t sys_fchmodat2 = 452;       // since v6.6
constexpr std::uint32_t sys_setxattrat = 463;      // since v6.13
constexpr std::uint32_t sys_removexattrat = 466;   // since v6.13
constexpr std::uint32_t sys_open_tree_attr = 467;  // since v6.15
constexpr std::uint32_t sys_file_setattr = 469;    // since v6.17

constexpr RefusedCall refuse(std::string_view name, std::uint32_t number) {
  return {.name = name, .number = number};
}

// Callers know what to do without such a call, where EPERM would end them.
constexpr RefusedCall not_there(std::string_view name, std::uint32_t number) {
  return {.name = name, .number = number, .error = ENOSYS};
}

constexpr RefusedCall refuse_bits(std::string_view name, std::uint32_t number, unsigned argument,
                                  std::uint32_t bits) {
  return {name, number, Refuse::any_bit, argument, bits};
}

constexpr RefusedCall refuse_ioctl(std::string_view name, std::uint32_t request) {
  return {name, SYS_ioctl, Refuse::equal, 1, request};
}

constexpr std::array calls = {
    // Opening.
    refuse_bits("open", SYS_open, 1, writing),
    refuse_bits("openat", SYS_openat, 2, writing),
    not_there("openat2", SYS_openat2),  // its flags are in memory, where a filter cannot look
    refuse("creat", SYS_creat),
    refuse("open_by_handle_at", SYS_open_by_handle_at),
    refuse_bits("mq_open", SYS_mq_open, 1, writing),
    // Names.
    refuse("unlink", SYS_unlink),
    refuse("unlinkat", SYS_unlinkat),
    refuse("rename", SYS_rename),
    refuse("renameat", SYS_renameat),
    refuse("renameat2", SYS_renameat2),
    refuse("link", SYS_link),
    refuse("linkat", SYS_linkat),
    refuse("symlink", SYS_symlink),
    refuse("symlinkat", SYS_symlinkat),
    refuse("mkdir", SYS_mkdir),
    refuse("mkdirat", SYS_mkdirat),
    refuse("rmdir", SYS_rmdir),
    refuse("mknod", SYS_mknod),
    refuse("mknodat", SYS_mknodat),
    refuse("mq_unlink", SYS_mq_unlink),
    // What is known of a file. Those with a descriptor work on one that is open for reading, too.
    refuse("truncate", SYS_truncate),
    refuse("chmod", SYS_chmod),
    refuse("fchmod", SYS_fchmod),
    refuse("fchmodat", SYS_fchmodat),
    refuse("fchmodat2", sys_fchmodat2),
    refuse("chown", SYS_chown),
    refuse("fchown", SYS_fchown),
    refuse("lchown", SYS_lchown),
    refuse("fchownat", SYS_fchownat),
    refuse("utime", SYS_utime),
    refuse("utimes", SYS_utimes),
    refuse("futimesat", SYS_futimesat),
    refuse("utimensat", SYS_utimensat),
    refuse("setxattr", SYS_setxattr),
    refuse("lsetxattr", SYS_lsetxattr),
    refuse("fsetxattr", SYS_fsetxattr),
    refuse("setxattrat", sys_setxattrat),
    refuse("removexattr", SYS_removexattr),
    refuse("lremovexattr", SYS_lremovexattr),
    refuse("fremovexattr", SYS_fremovexattr),
    refuse("removexattrat", sys_removexattrat),
    refuse("file_setattr", sys_file_setattr),
    refuse_ioctl("ioctl FS_IOC_SETFLAGS", FS_IOC_SETFLAGS),
    refuse_ioctl("ioctl FS_IOC_FSSETXATTR", FS_IOC_FSSETXATTR),
    // Typing at the user's other programs.
    refuse_ioctl("ioctl TIOCSTI", TIOCSTI),
    refuse_ioctl("ioctl TIOCLINUX", TIOCLINUX),
    // Other processes.
    refuse("ptrace", SYS_ptrace),
    refuse("process_vm_readv", SYS_process_vm_readv),
    refuse("process_vm_writev", SYS_process_vm_writev),
    refuse("process_madvise", SYS_process_madvise),
    refuse("pidfd_getfd", SYS_pidfd_getfd),
    // The kernel.
    refuse("bpf", SYS_bpf),
    refuse("perf_event_open", SYS_perf_event_open),
    refuse("userfaultfd", SYS_userfaultfd),
    refuse("init_module", SYS_init_module),
    refuse("finit_module", SYS_finit_module),
    refuse("delete_module", SYS_delete_module),
    refuse("kexec_load", SYS_kexec_load),
    refuse("kexec_file_load", SYS_kexec_file_load),
    refuse("reboot", SYS_reboot),
    refuse("syslog", SYS_syslog),
    refuse("swapon", SYS_swapon),
    refuse("swapoff", SYS_swapoff),
    refuse("acct", SYS_acct),
    refuse("quotactl", SYS_quotactl),
    refuse("quotactl_fd", SYS_quotactl_fd),
    refuse("iopl", SYS_iopl),
    refuse("ioperm", SYS_ioperm),
    refuse("settimeofday", SYS_settimeofday),
    refuse("clock_settime", SYS_clock_settime),
    refuse("sethostname", SYS_sethostname),
    refuse("setdomainname", SYS_setdomainname),
    refuse("add_key", SYS_add_key),
    refuse("request_key", SYS_request_key),
    refuse("keyctl", SYS_keyctl),
    refuse("fanotify_init", SYS_fanotify_init),
    // Mounts and namespaces.
    refuse("mount", SYS_mount),
    refuse("umount2", SYS_umount2),
    refuse("pivot_root", SYS_pivot_root),
    refuse("chroot", SYS_chroot),
    refuse("move_mount", SYS_move_mount),
    refuse("open_tree", SYS_open_tree),
    refuse("open_tree_attr", sys_open_tree_attr),
    refuse("fsopen", SYS_fsopen),
    refuse("fsconfig", SYS_fsconfig),
    refuse("fsmount", SYS_fsmount),
    refuse("fspick", SYS_fspick),
    refuse("mount_setattr", SYS_mount_setattr),
    refuse("setns", SYS_setns),
    refuse_bits("unshare", SYS_unshare, 0, new_namespace),
    refuse_bits("clone", SYS_clone, 0, new_namespace),
    not_there("clone3", SYS_clone3),  // its flags are in memory, too
    // A ring's requests are no system calls: no filter sees them.
    refuse("io_uring_setup", SYS_io_uring_setup),
    refuse("io_uring_enter", SYS_io_uring_enter),
    refuse("io_uring_register", SYS_io_uring_register),
};

constexpr std::uint32_t x32_call = 0x40000000;  // __X32_SYSCALL_BIT, asm/unistd.h
constexpr std::uint32_t offset_of_number = offsetof(seccomp_data, nr);
constexpr std::uint32_t offset_of_arch = offsetof(seccomp_data, arch);

constexpr std::uint32_t offset_of_argument(unsigned argument) {
  static_assert(std::endian::native == std::endian::little);  // the lower half comes first
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8 * argument);
}

using Program = std::vector<sock_filter>;

void load_word(Program& program, std::uint32_t offset) {
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}
// Goes on if the comparison holds, else skips `skip` instructions.
void unless_skip(Program& program, std::uint16_t comparison, std::uint32_t value,
                 std::uint8_t skip) {
  program.push_back(
      BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | comparison | BPF_K), value, 0, skip));
}
void fail_with(Program& program, int error) {
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)));
}

void add(Program& program, const RefusedCall& call) {
  if (call.when == Refuse::always) {
    unless_skip(program, BPF_JEQ, call.number, 1);
    return fail_with(program, call.error);
  }
  unless_skip(program, BPF_JEQ, call.number, 4);
  load_word(program, offset_of_argument(call.argument));
  unless_skip(program, call.when == Refuse::any_bit ? BPF_JSET : BPF_JEQ, call.bits, 1);
  fail_with(program, call.error);
  load_word(program, offset_of_number);
}

Program make_program() {
  Program program;
  load_word(program, offset_of_arch);
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
  fail_with(program, EPERM);
  load_word(program, offset_of_number);
  unless_skip(program, BPF_JGE, x32_call, 1);
  fail_with(program, EPERM);
  for (const RefusedCall& call : calls) add(program, call);
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return program;
}

}  // namespace

std::span<const RefusedCall> refused_calls() {
  return calls;
}

void install_read_only_filter() {
  Program program = make_program();
  sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
  // A library may have left a thread behind: it gets the filter, too, or none does.
  const long failed =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  if (failed != 0)
    throw_error(ErrorKind::unavailable, "the kernel takes no seccomp filter: {}",
                failed < 0 ? std::strerror(errno) : "a thread has another one");
}

}  // namespace kvmscope
