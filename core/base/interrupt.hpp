// The one interrupt flag: set by Ctrl-C, looked at by every long loop.
#pragma once

#include <csignal>

namespace kvmscope {

// Installs a SIGINT handler that sets the flag.
void catch_interrupts();
void set_interrupted();
void clear_interrupted();
bool interrupted();

// While it lives, SIGTERM and SIGHUP set the flag, too: for work that has to be undone before we
// end.
class TerminationInterrupts {
 public:
  TerminationInterrupts();
  TerminationInterrupts(const TerminationInterrupts&) = delete;
  TerminationInterrupts& operator=(const TerminationInterrupts&) = delete;
  ~TerminationInterrupts();

  // Whether one of them came.
  static bool came();

 private:
  struct sigaction term_;
  struct sigaction hangup_;
};

// Throws Error{interrupted} when the flag is set. Cheap: call it once per table or page.
void check_interrupt();

}  // namespace kvmscope
