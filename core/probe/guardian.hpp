// A process of its own that cleans tracefs up when we are killed in a way that we cannot catch.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/base/file.hpp"

namespace kvmscope::probe {

// Start it before the first probe. It waits for this process to end, in a session of its own, so
// that what ends us (a Ctrl-C for the whole group, a terminal that closes) does not end it.
class Guardian {
 public:
  // Forks; call it from a process with one thread. Throws Error{unavailable}.
  Guardian(const std::string& tracefs_root, const std::string& run_name);
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;
  // Dismisses it: whoever owns it has cleaned up.
  ~Guardian();

  pid_t pid() const { return child_; }

 private:
  FileDescriptor alive_;  // the writing end of a pipe: closed by the kernel, however we die
  pid_t child_ = -1;
};

}  // namespace kvmscope::probe
