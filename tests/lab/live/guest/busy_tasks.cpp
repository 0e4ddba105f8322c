// Guests whose tasks switch CR3 all the time and rewrite their own page tables.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/task.hpp"
#include "tests/lab/guest/vm.hpp"
#include "tests/lab/live/guest/loop_program.hpp"
#include "tests/lab/live/guest/scenario.hpp"

#include <unistd.h>
#include <x86intrin.h>
#include <chrono>
#include <thread>
#include <vector>

namespace lab {
namespace {

constexpr uint64_t kSlot0Bytes = 16 * kMiB;
constexpr uint64_t kSlot1 = 256 * kMiB;
constexpr useconds_t kSlotPeriod = 100'000;
constexpr useconds_t kPollPeriod = 20'000;
constexpr std::chrono::milliseconds kClockPeriod{50};

// Three writes without a fault in between are what KVM calls flooding.
constexpr int kFlood = 3;
constexpr uint64_t kUnusedEntry = 8 * 300;

constexpr uint64_t kPml4Entry = 1ull << 39;
constexpr uint64_t kPdEntry = 1ull << 21;

// Three leaf tables below one PD and one below another: an unsync walk meets the levels 4 3 2 1 1 1
// 3 2 1.
const std::vector<uint64_t> kLeaves = {kPml4Entry, kPml4Entry + kPdEntry, kPml4Entry + 2 * kPdEntry,
                                       2 * kPml4Entry};

std::vector<Task> make_tasks(Memory& memory, unsigned vcpu, int count) {
  std::vector<Task> tasks;
  tasks.reserve(count);
  for (int i = 0; i < count; ++i)
    tasks.push_back(make_task(memory, kFourLevel, code_of_vcpu(vcpu), kLeaves));
  return tasks;
}

// Of the time-stamp counter, which the guests see as we do but for an offset.
uint64_t ticks_per_millisecond() {
  static const uint64_t ticks = [] {
    uint64_t before = __rdtsc();
    std::this_thread::sleep_for(kClockPeriod);
    return (__rdtsc() - before) / kClockPeriod.count();
  }();
  return ticks;
}

LoopProgram make_program(Memory& memory, unsigned vcpu, const std::vector<Task>& tasks,
                         const Habits& habits, const Options& options) {
  Code code = code_of_vcpu(vcpu);
  LoopProgram program(memory, code.start, code.bytes, options.rounds ? options.rounds : ~0ull);
  const uint64_t stay = options.stay ? options.stay * ticks_per_millisecond() : 0;
  const Task* previous = &tasks.back();
  for (const Task& task : tasks) {
    program.load_cr3(task.tables.root());
    for (uint64_t leaf : task.leaves) program.read(leaf);
    // A fault through the running root resets its count of writes: only another task's floods.
    if (habits.flood_previous)
      program.write(kWindow + previous->tables.root() + kUnusedEntry, kFlood);
    if (habits.rewrite_leaves) {
      for (uint64_t leaf : task.leaves) {
        program.write(kWindow + task.tables.entry(leaf, 1));
        program.forget(leaf);
        program.read(leaf);
      }
    }
    if (habits.flood_own_pdpt)
      program.write(kWindow + task.tables.table(task.leaves.front(), 3) + kUnusedEntry, kFlood);
    if (stay) program.wait(stay);
    previous = &task;
  }
  program.finish();
  return program;
}

// Starts in the last task, so that the first round's first switch is one, too.
std::thread start_vcpu(Vm& vm, Memory& memory, unsigned id, const Habits& habits,
                       const Options& options) {
  std::vector<Task> tasks = make_tasks(memory, id, habits.tasks);
  LoopProgram program = make_program(memory, id, tasks, habits, options);
  say_tasks(vm, id, tasks);
  return std::thread([&vm, id, cr3 = tasks.back().tables.root(), code = program.start()] {
    vm.run_vcpu(id, kLongMode, cr3, code);
  });
}

[[noreturn]] void toggle(Vm& vm, Memory& memory) {
  for (;;) {
    vm.add_slot(1, memory);
    usleep(kSlotPeriod);
    vm.delete_slot(1);
    usleep(kSlotPeriod);
  }
}

void wait_until_it_runs(const Vm& vm) {
  while (vm.statistic("exits") == 0) usleep(kPollPeriod);
}

}  // namespace

void run_busy_tasks(const char* name, const Habits& habits, const Options& options) {
  Vm vm(name);
  Memory memory(0, kSlot0Bytes, Backing::small_pages), second(kSlot1, kMiB, Backing::small_pages);
  vm.limit_shadow_pages(habits.shadow_pages);
  vm.add_slot(0, memory);
  std::vector<std::thread> vcpus;
  for (unsigned id = 0; id < options.vcpus; ++id)
    vcpus.push_back(start_vcpu(vm, memory, id, habits, options));
  if (habits.toggle_slot) std::thread(toggle, std::ref(vm), std::ref(second)).detach();
  wait_until_it_runs(vm);
  say("READY");
  for (std::thread& vcpu : vcpus) vcpu.join();
  say("DONE switches=%llu",
      static_cast<unsigned long long>(options.rounds * habits.tasks * options.vcpus));
  for (;;) pause();
}

}  // namespace lab
