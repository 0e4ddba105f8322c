// Guests for benchmarks: very many shadow pages, very many SPTEs.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/scenario.hpp"
#include "tests/lab/guest/task.hpp"

#include <algorithm>

namespace lab {
namespace {

// Big shadow: each task has a PML4, a PDPT, a PD and kLeaves leaf tables of its own.
constexpr int kTasks = 1250;
constexpr int kLeaves = 14;
constexpr int kUnsyncTasks = 40;  // as many as have their tables in the window
constexpr uint64_t kWantedShadowPages = 20000;
constexpr uint64_t kLeavesStart = 1ull << 39;
constexpr Code kLongProgram{0x10000, 0x70000};

// Big TDP
constexpr uint64_t kSplitStart = 4096 * kMiB;
constexpr uint64_t kSplitBytes = 1024 * kMiB;
constexpr uint64_t kHugeStart = 8192 * kMiB;
constexpr uint64_t kHugeBytes = 32 * kMiB;
constexpr uint64_t kWantedSmallPages = 250000;

// All tasks share the code and the window, as they would a kernel, and one data page.
std::vector<Task> make_many_tasks(Memory& memory) {
  std::vector<Task> tasks{make_task(memory, kFourLevel, kLongProgram, {})};
  uint64_t data = memory.allocate_page();
  uint64_t shared = tasks.front().tables.table(0, 3);
  while (tasks.size() < kTasks) {
    Task task{PageTables(memory, kFourLevel), {}};
    task.tables.link(0, 4, shared);
    for (int i = 0; i < kLeaves; ++i) {
      task.leaves.push_back(kLeavesStart + i * kHugePageSize);
      task.tables.map(task.leaves.back(), data);
    }
    tasks.push_back(task);
  }
  // The ones that can be made unsync run last, so that the vCPU's roots are among them.
  std::reverse(tasks.begin(), tasks.end());
  return tasks;
}

void build_big_shadow() {
  Vm vm("big-shadow");
  Memory memory(0, 128 * kMiB, Backing::small_pages);
  vm.add_slot(0, memory);
  vm.limit_shadow_pages(2 * kWantedShadowPages);
  std::vector<Task> tasks = make_many_tasks(memory);
  Program program(memory, kLongProgram.start, kLongProgram.bytes, Program::Mode::bits64);
  visit(program, tasks);
  make_unsync(program, {tasks.end() - kUnsyncTasks, tasks.end()});
  program.halt();
  vm.run_vcpu(0, kLongMode, tasks.front().tables.root(), program.start());
  uint64_t made = vm.statistic("mmu_cache_miss");
  uint64_t zapped = vm.statistic("mmu_shadow_zapped");
  if (made - zapped < kWantedShadowPages) fail("too few shadow pages");
  park();
}

// Touches each huge page once; the dirty log then makes KVM split those of one slot, which is far
// quicker than faults.
void build_big_tdp() {
  Vm vm("big-tdp");
  Memory memory(0, 4 * kMiB, Backing::small_pages),
      split(kSplitStart, kSplitBytes, Backing::huge_pages),
      huge(kHugeStart, kHugeBytes, Backing::huge_pages);
  vm.add_slot(0, memory);
  vm.add_slot(1, split);
  vm.add_slot(2, huge);
  PageTables tables(memory, kFourLevel);
  tables.map(0, 0, 2);
  Program program(memory, code_of_vcpu(0).start, code_of_vcpu(0).bytes, Program::Mode::bits64);
  for (const Memory* region : {&split, &huge}) {
    for (uint64_t address = region->start(); address < region->start() + region->bytes();
         address += kHugePageSize) {
      tables.map(address, address, 2);
      program.store(address);
    }
  }
  program.halt();
  vm.run_vcpu(0, kLongMode, tables.root(), program.start());
  vm.add_slot(1, split, KVM_MEM_LOG_DIRTY_PAGES);
  if (vm.statistic("pages_4k") < kWantedSmallPages) fail("too few small pages");
  if (vm.statistic("pages_2m") == 0) fail("no huge pages");
  park();
}

}  // namespace

std::vector<Process> big_shadow_processes() {
  return {{"lab-big", build_big_shadow}};
}
std::vector<Process> big_tdp_processes() {
  return {{"lab-big", build_big_tdp}};
}

}  // namespace lab
