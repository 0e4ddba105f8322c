// A seccomp filter under which files can be opened for reading only.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace kvmscope {

// What makes a system call one to refuse.
enum class Refuse {
  always,
  any_bit,  // its argument has any of `bits`
  equal,    // its argument is `bits`
};

// Arguments are compared by their lower 32 bits: all that these calls look at.
struct RefusedCall {
  std::string_view name;
  std::uint32_t number = 0;  // x86-64
  Refuse when = Refuse::always;
  unsigned argument = 0;  // counted from 0
  std::uint32_t bits = 0;
  int error = 1;  // EPERM
};

// Every system call that changes a file system, another process or the kernel, or that opens a way
// around this list.
std::span<const RefusedCall> refused_calls();

// From now on the calls above fail, in all threads of this process and in all that it starts, and
// cannot be allowed again. Calls of other architectures (i386, x32) fail, too. Needs no_new_privs
// or CAP_SYS_ADMIN. Throws Error{unavailable}.
void install_read_only_filter();

}  // namespace kvmscope
