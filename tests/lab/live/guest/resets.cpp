// vCPUs that never run, and whose MMU user space resets again and again: the most events that a
// trace can be given.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/vm.hpp"
#include "tests/lab/live/guest/scenario.hpp"

#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace lab {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPeriod{1};

// As many as are due, each millisecond. One that comes late makes up for it.
void reset(Vm& vm, int vcpu, const Options& options) {
  if (options.rate == 0) return vm.change_cr3(vcpu, options.rounds);
  const auto start = Clock::now();
  for (uint64_t done = 0; done < options.rounds;) {
    const std::chrono::duration<double> past = Clock::now() - start;
    const auto due = std::min(options.rounds, static_cast<uint64_t>(past.count() * options.rate));
    vm.change_cr3(vcpu, due - done);
    done = due;
    std::this_thread::sleep_for(kPeriod);
  }
}

}  // namespace

void run_resets(const char* name, const Options& options) {
  Vm vm(name);
  std::vector<int> vcpus;
  for (unsigned id = 0; id < options.vcpus; ++id) vcpus.push_back(vm.create_vcpu(id));
  say("READY");
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (int vcpu : vcpus) threads.emplace_back(reset, std::ref(vm), vcpu, std::cref(options));
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> seconds = Clock::now() - start;
  say("DONE seconds=%.3f", seconds.count());
  for (;;) pause();
}

}  // namespace lab
