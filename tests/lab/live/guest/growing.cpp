// A VM that gets vCPUs one by one, each when it is told to.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/vm.hpp"
#include "tests/lab/live/guest/scenario.hpp"

#include <csignal>

namespace lab {
namespace {

constexpr uint64_t kSlotBytes = 16 * kMiB;

}  // namespace

void run_growing(const char* name) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) fail("sigprocmask");
  Vm vm(name);
  Memory memory(0, kSlotBytes, Backing::small_pages);
  vm.add_slot(0, memory);
  for (unsigned id = 0;; ++id) {
    vm.create_vcpu(id);
    if (id == 0) say("READY");
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) fail("sigwait");
  }
}

}  // namespace lab
