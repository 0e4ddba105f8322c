// vCPUs that never run, and whose MMU user space resets again and again: the most events, and the
// most loads of roots, that a trace can be given.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/vm.hpp"
#include "tests/lab/live/guest/scenario.hpp"

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>
#include <vector>

namespace lab {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPeriod{1};
// Without memslots KVM allows none.
constexpr unsigned kShadowPages = 100;

// What linux/kvm.h calls kvm_signal_mask, which ends in a flexible array.
struct SignalMask {
  uint32_t bytes = sizeof signals;
  uint64_t signals = 0;
} __attribute__((packed));
constexpr unsigned long kSetSignalMask = _IOW(KVMIO, 0x8b, uint32_t);

// From now on KVM_RUN gets as far as the load of a root, and returns before the guest would run: a
// signal waits for it that is blocked everywhere else.
void never_enter(int vcpu) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  SignalMask none;
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) fail("pthread_sigmask");
  if (ioctl(vcpu, kSetSignalMask, &none) != 0) fail("KVM_SET_SIGNAL_MASK");
  if (pthread_kill(pthread_self(), SIGUSR1) != 0) fail("pthread_kill");
}

void change_cr3(Vm& vm, int vcpu, uint64_t times, const Options& options) {
  if (!options.load) return vm.change_cr3(vcpu, times);
  kvm_sregs special{};
  if (ioctl(vcpu, KVM_GET_SREGS, &special) != 0) fail("KVM_GET_SREGS");
  for (uint64_t i = 0; i < times; ++i) {
    special.cr3 ^= kPageSize;
    if (ioctl(vcpu, KVM_SET_SREGS, &special) != 0) fail("KVM_SET_SREGS");
    if (ioctl(vcpu, KVM_RUN, 0) == 0 || errno != EINTR) fail("KVM_RUN did not stop at the signal");
  }
}

// As many as are due, each millisecond. One that comes late makes up for it.
void reset(Vm& vm, int vcpu, const Options& options) {
  if (options.load) never_enter(vcpu);
  if (options.rate == 0) return change_cr3(vm, vcpu, options.rounds, options);
  const auto start = Clock::now();
  for (uint64_t done = 0; done < options.rounds;) {
    const std::chrono::duration<double> past = Clock::now() - start;
    const auto due = std::min(options.rounds, static_cast<uint64_t>(past.count() * options.rate));
    change_cr3(vm, vcpu, due - done, options);
    done = due;
    std::this_thread::sleep_for(kPeriod);
  }
}

}  // namespace

void run_resets(const char* name, const Options& options) {
  Vm vm(name);
  vm.limit_shadow_pages(kShadowPages);
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
