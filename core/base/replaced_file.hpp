// A file that takes the place of another one in one step, or not at all.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/base/file.hpp"

namespace kvmscope {

// What is written goes to a temporary file in the same folder; commit() puts it in place. Whatever
// ends this process before that (a full disk, SIGKILL), the old file stays, and the new one is
// removed by a process of its own. That one also keeps the right to rename in the folder when this
// process gives its rights up, and it can do nothing else. Only one file of a folder is written at
// a time: the lock ends with whoever has it.
class ReplacedFile {
 public:
  // Throws Error{usage} when there cannot be such a file: the folder is not there, not ours to
  // write in or a symbolic link, or what has that name is no ordinary file. Throws
  // Error{unavailable} when another process is writing into the folder. `mode` as for chmod.
  explicit ReplacedFile(const std::string& path, mode_t mode = 0600);
  ReplacedFile(const ReplacedFile&) = delete;
  ReplacedFile& operator=(const ReplacedFile&) = delete;
  // Without commit() nothing is left of it.
  ~ReplacedFile();

  const std::string& path() const { return path_; }
  int fd() const { return file_.get(); }
  // Syncs what was written, puts it in place and syncs the folder. Throws Error{internal} when
  // that fails: then the old file is there, or the new one.
  void commit();

 private:
  void start_keeper(int folder, int lock, const std::string& name);
  int ask_keeper();
  void end_keeper();

  std::string path_;
  FileDescriptor file_;
  FileDescriptor keeper_;  // a socket to it: closed by the kernel, however we die
  pid_t child_ = -1;
};

}  // namespace kvmscope
