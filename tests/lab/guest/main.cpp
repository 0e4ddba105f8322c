// Runs the guests of one scenario inside the lab's machine and says READY when all of them rest.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/scenario.hpp"

#include <sys/prctl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace lab {
namespace {

struct Scenario {
  const char* name;
  std::vector<Process> (*processes)();
};

constexpr Scenario kScenarios[] = {
    {"shadow", shadow_processes},   {"tdp", tdp_processes},
    {"modes", modes_processes},     {"splits", splits_processes},
    {"nested", nested_processes},   {"big-shadow", big_shadow_processes},
    {"big-tdp", big_tdp_processes},
};

int parked_pipe[2];

// Returns when the process rests: one after the other, so that every boot does the same in the same
// order.
void start(const Process& process) {
  if (pipe(parked_pipe) != 0) fail("pipe");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    prctl(PR_SET_NAME, process.name);
    say("process name=%s pid=%d", process.name, getpid());
    process.build();
    _exit(1);
  }
  close(parked_pipe[1]);
  char byte;
  errno = 0;
  if (read(parked_pipe[0], &byte, 1) != 1) fail("process %s ended", process.name);
  close(parked_pipe[0]);
}

}  // namespace

void park() {
  if (write(parked_pipe[1], "", 1) != 1) fail("write to the runner");
  for (;;) pause();
}

}  // namespace lab

int main(int count, char** arguments) {
  using namespace lab;
  const char* wanted = count == 2 ? arguments[1] : "";
  for (const Scenario& scenario : kScenarios) {
    if (std::strcmp(scenario.name, wanted) != 0) continue;
    for (const Process& process : scenario.processes()) start(process);
    say("READY");
    for (;;) pause();
  }
  fail("there is no scenario '%s'", wanted);
}
