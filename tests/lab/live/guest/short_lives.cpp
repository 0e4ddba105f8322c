// VMs that come and go, each with vCPUs that arrive one by one.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/vm.hpp"
#include "tests/lab/live/guest/scenario.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace lab {
namespace {

constexpr unsigned kVcpus = 24;
constexpr useconds_t kPeriod = 10'000;

void live_shortly(const char* name) {
  Vm vm(name);
  Memory memory(0, kMiB, Backing::small_pages);
  vm.add_slot(0, memory);
  for (unsigned id = 0; id < kVcpus; ++id) {
    vm.create_vcpu(id);
    usleep(kPeriod);
  }
}

}  // namespace

void run_short_lives(const char* name) {
  for (bool first = true;; first = false) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      live_shortly(name);
      _exit(0);
    }
    if (first) say("READY");
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) fail("a VM's process ended badly");
  }
}

}  // namespace lab
