#include "core/base/interrupt.hpp"

#include <csignal>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

volatile std::sig_atomic_t flag = 0;

void on_interrupt(int) {
  flag = 1;
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

void check_interrupt() {
  if (flag != 0) throw Error(ErrorKind::interrupted, "interrupted");
}

}  // namespace kvmscope
