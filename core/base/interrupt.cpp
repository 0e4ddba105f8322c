#include "core/base/interrupt.hpp"

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

volatile std::sig_atomic_t flag = 0;
volatile std::sig_atomic_t termination = 0;

void on_interrupt(int) {
  flag = 1;
}

void on_termination(int) {
  flag = 1;
  termination = 1;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  // No SA_RESTART: a read that blocks (a pipe, the terminal) returns to its loop.
  sigaction(SIGINT, &action, nullptr);
}

void set_interrupted() {
  flag = 1;
}
void clear_interrupted() {
  flag = 0;
}
bool interrupted() {
  return flag != 0;
}

TerminationInterrupts::TerminationInterrupts() {
  termination = 0;
  struct sigaction action {};
  action.sa_handler = on_termination;
  sigaction(SIGTERM, &action, &term_);
  sigaction(SIGHUP, &action, &hangup_);
}

TerminationInterrupts::~TerminationInterrupts() {
  sigaction(SIGTERM, &term_, nullptr);
  sigaction(SIGHUP, &hangup_, nullptr);
}

bool TerminationInterrupts::came() {
  return termination != 0;
}

void check_interrupt() {
  if (flag != 0) throw Error(ErrorKind::interrupted, "interrupted");
}

}  // namespace kvmscope
