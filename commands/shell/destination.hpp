// Where one line's result goes: the console, a file, a program or the pager.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "commands/shell/console.hpp"
#include "commands/shell/lexer.hpp"
#include "commands/shell/output_files.hpp"
#include "core/base/file.hpp"

namespace kvmscope {

// A program that reads what we write. Other descriptors of ours are close-on-exec.
class ReadingProgram {
 public:
  // `command` is for /bin/sh. Throws Error{unavailable} when nothing can be started.
  explicit ReadingProgram(const std::string& command);
  ReadingProgram(const ReadingProgram&) = delete;
  ReadingProgram& operator=(const ReadingProgram&) = delete;
  // Waits for the program.
  ~ReadingProgram();

  int input() const { return input_.get(); }

 private:
  FileDescriptor input_;
  pid_t child_ = -1;
};

// While it lives, the console's output is the redirection's.
class Destination {
 public:
  // Throws Error{usage} when the file cannot be written. `paged`: long output of a redirection of
  // kind none goes to the pager.
  Destination(Console& console, OutputFiles& files, const Redirection& redirection, bool paged);
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;
  ~Destination();

  // Sends all that is left. Throws what Output::flush throws.
  void finish();

 private:
  void redirect_to(int fd);
  void page();

  Console& console_;
  const Console outer_;
  FileDescriptor file_;
  std::unique_ptr<ReadingProgram> program_;
  std::unique_ptr<Output> own_;  // nullptr: the console's
};

}  // namespace kvmscope
