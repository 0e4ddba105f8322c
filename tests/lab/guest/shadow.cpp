// Guests for KVM's shadow MMU: every paging mode, tasks that switch CR3, leaf tables left unsync.
#include "tests/lab/guest/scenario.hpp"
#include "tests/lab/guest/task.hpp"
#include "tests/lab/guest/truth.hpp"

#include <initializer_list>

namespace lab {
namespace {

constexpr uint64_t kSlot0Bytes = 16 * kMiB;

// One PML4 entry's worth of addresses, and the same one level up and down.
constexpr uint64_t kPml5Entry = 1ull << 48;
constexpr uint64_t kPml4Entry = 1ull << 39;
constexpr uint64_t kPdptEntry = 1ull << 30;
constexpr uint64_t kPdEntry = 1ull << 21;

// KVM's own limit comes from the size of the memslots: 81 shadow pages for such small ones.
constexpr unsigned kNoLimit = 1000;

// Where a task sees a device's register, and where in guest memory that is: outside every memslot.
constexpr uint64_t kDeviceWindow = 0x600000;
constexpr uint64_t kDevice = 0xd0000000;

// Shared by the tasks of the wide VM, as a kernel's half of the address space is.
constexpr uint64_t kKernelHalf = 0xffff800000000000;

// Three leaf tables below one PD and one below another: an unsync walk meets the levels 4 3 2 1 1 1
// 3 2 1.
const std::vector<uint64_t> kNineEntries = {kPml4Entry, kPml4Entry + kPdEntry,
                                            kPml4Entry + 2 * kPdEntry, 2 * kPml4Entry};

// Addresses of `count` neighbouring leaf tables.
std::vector<uint64_t> neighbours(uint64_t first, int count) {
  std::vector<uint64_t> addresses;
  addresses.reserve(count);
  for (int i = 0; i < count; ++i) addresses.push_back(first + i * kPdEntry);
  return addresses;
}

std::vector<uint64_t> joined(std::initializer_list<std::vector<uint64_t>> parts) {
  std::vector<uint64_t> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// Of the running task: its page tables as it sees them, which are not zero, and its data, which is.
void say_translations(const Vm& vm, unsigned vcpu, Memory& memory, const Task& running) {
  Truth truth(vm, vcpu, {&memory});
  truth.add({kWindow, memory.start(), kWindowBytes});
  for (uint64_t leaf : running.leaves) {
    uint64_t entry = running.tables.entry(leaf, 1);
    truth.say_translation(kWindow + entry);
    truth.add({leaf, memory.at<uint32_t>(entry) & ~uint32_t{kPageSize - 1}, kPageSize});
    truth.say_translation(leaf + 0x7f5);
  }
}

// A vCPU that goes round its tasks twice, so that its previous roots fill, and leaves all of them
// with unsync leaves.
void run_tasks(Vm& vm, Memory& memory, unsigned vcpu, const CpuMode& mode,
               const std::vector<Task>& tasks) {
  Code code = code_of_vcpu(vcpu);
  Program program(memory, code.start, code.bytes,
                  mode.long_code ? Program::Mode::bits64 : Program::Mode::bits32);
  visit(program, tasks);
  visit(program, tasks);
  make_unsync(program, tasks);
  program.halt();
  vm.run_vcpu(vcpu, mode, tasks.front().tables.root(), program.start());
  say_tasks(vm, vcpu, tasks);
  say_translations(vm, vcpu, memory, tasks.back());
}

std::vector<Task> make_tasks(Memory& memory, const PagingMode& mode, unsigned vcpu, int count,
                             const std::vector<uint64_t>& leaves) {
  std::vector<Task> tasks;
  tasks.reserve(count);
  for (int i = 0; i < count; ++i)
    tasks.push_back(make_task(memory, mode, code_of_vcpu(vcpu), leaves));
  return tasks;
}

// More tasks than a vCPU has roots (the current one and three before), as many, and fewer.
void build_tasks_vm(Vm& vm, Memory& memory) {
  vm.limit_shadow_pages(kNoLimit);
  vm.add_slot(0, memory);
  struct {
    unsigned vcpu;
    int tasks;
  } const kVcpus[] = {{0, 5}, {3, 4}, {7, 3}};
  for (auto [vcpu, count] : kVcpus)
    run_tasks(vm, memory, vcpu, kLongMode,
              make_tasks(memory, kFourLevel, vcpu, count, kNineEntries));
}

// PDPTEs 0, 1 and 3 are there, 2 is absent.
void build_pae_vm(Vm& vm, Memory& memory) {
  vm.add_slot(0, memory);
  std::vector<uint64_t> leaves = joined({neighbours(0x800000, 3), neighbours(3 * kPdptEntry, 2)});
  run_tasks(vm, memory, 0, kPaeMode, make_tasks(memory, kPae, 0, 2, leaves));
  vm.create_vcpu(2);
}

// Two-level tables: a guest's leaf table has two shadow pages, one a half; its root has four.
void build_protected_vm(Vm& vm, Memory& memory) {
  vm.add_slot(0, memory);
  std::vector<uint64_t> leaves = {0x800000, 0xa00000, 0xc00000, 0x80000000, 0xc0400000, 0xc0600000};
  run_tasks(vm, memory, 1, kProtectedMode, make_tasks(memory, kTwoLevel, 1, 2, leaves));
}

// No page tables at all: KVM's shadow pages are direct.
void build_real_vm(Vm& vm, Memory& memory) {
  vm.add_slot(0, memory);
  Program program(memory, 0x1000, 0x1000, Program::Mode::bits16);
  for (uint64_t page = 0x2000; page < 0x8000; page += kPageSize) program.write(page);
  program.halt();
  vm.run_vcpu(0, kRealMode, 0, program.start());
}

void build_tasks_process() {
  Vm tasks("tasks"), pae("pae"), protected_("protected"), real("real");
  Memory small(0, 4 * kMiB, Backing::small_pages);
  Memory tasks_memory(0, kSlot0Bytes, Backing::small_pages),
      pae_memory(0, kSlot0Bytes, Backing::small_pages),
      protected_memory(0, kSlot0Bytes, Backing::small_pages);
  build_tasks_vm(tasks, tasks_memory);
  build_pae_vm(pae, pae_memory);
  build_protected_vm(protected_, protected_memory);
  build_real_vm(real, small);
  park();
}

// What one batch of the kernel's walk (16 entries) holds of each, besides the root:
std::vector<Task> make_wide_tasks(Memory& memory, unsigned vcpu) {
  Code code = code_of_vcpu(vcpu);
  constexpr uint64_t one = kPml4Entry, two = 2 * kPml4Entry, five = 5 * kPml4Entry;
  // 3 2 and 6 leaves, 3 2 and 4 leaves, then a 2 that fills the batch before its own leaves
  Task full_on_table =
      make_task(memory, kFourLevel, code,
                joined({neighbours(one, 6), neighbours(two, 4), neighbours(two + kPdptEntry, 3)}));
  // 3 2 and 10 leaves, 3 2, the first leaf again over a second path, and one more leaf that fills
  // the batch
  Task full_on_leaf = make_task(memory, kFourLevel, code,
                                joined({neighbours(one, 10), neighbours(two + kPdEntry, 4)}));
  full_on_leaf.tables.link(two, 2, full_on_leaf.tables.table(one, 1));
  full_on_leaf.leaves.push_back(two);
  // enough for several batches
  Task many = make_task(
      memory, kFourLevel, code,
      joined({neighbours(one, 12), neighbours(one + 3 * kPdptEntry, 12), neighbours(five, 20)}));
  return {full_on_table, full_on_leaf, many};
}

// Syncing the last task clears its path to the shared leaf table; the other roots keep a bit that
// says nothing any more.
void leave_stale_bits(Program& program, const std::vector<Task>& tasks) {
  for (const Task& task : tasks) {
    program.load_cr3(task.tables.root());
    program.read(kKernelHalf);
  }
  program.write(kWindow + tasks.back().tables.entry(kKernelHalf, 1));
  program.load_cr3(tasks.back().tables.root());
}

void build_wide_vm(Vm& vm, Memory& memory) {
  vm.limit_shadow_pages(kNoLimit);
  vm.add_slot(0, memory);
  uint64_t kernel_table = 0;
  for (unsigned vcpu : {0u, 5u}) {
    std::vector<Task> tasks = make_wide_tasks(memory, vcpu);
    for (Task& task : tasks) {
      if (kernel_table == 0) {
        task.tables.map(kKernelHalf, memory.allocate_page());
        kernel_table = task.tables.table(kKernelHalf, 3);
      }
      task.tables.link(kKernelHalf, 4, kernel_table);
    }
    Code code = code_of_vcpu(vcpu);
    Program program(memory, code.start, code.bytes, Program::Mode::bits64);
    visit(program, tasks);
    leave_stale_bits(program, tasks);
    make_unsync(program, tasks);
    program.halt();
    vm.run_vcpu(vcpu, kLongMode, tasks.front().tables.root(), program.start());
    say_tasks(vm, vcpu, tasks);
  }
}

// The levels 5 4 3 2 1 1 1 4 3 2 1.
void build_la57_vm(Vm& vm, Memory& memory) {
  vm.add_slot(0, memory);
  std::vector<uint64_t> leaves = joined({neighbours(kPml5Entry, 3), neighbours(2 * kPml5Entry, 1)});
  run_tasks(vm, memory, 2, kLongMode57, make_tasks(memory, kFiveLevel, 2, 3, leaves));
}

void build_wide_process() {
  Vm wide("wide");
  Memory wide_memory(0, kSlot0Bytes, Backing::small_pages);
  build_wide_vm(wide, wide_memory);
  if (!supports_la57()) park();
  Vm la57("la57");
  Memory la57_memory(0, kSlot0Bytes, Backing::small_pages);
  build_la57_vm(la57, la57_memory);
  park();
}

// The vCPU has read a device's register, so there is an MMIO SPTE, and waits for an interrupt
// inside KVM_RUN.
void build_blocked_vm(Vm& vm, Memory& memory) {
  vm.create_irqchip();
  vm.add_slot(0, memory);
  Code code = code_of_vcpu(0);
  std::vector<Task> tasks = make_tasks(memory, kFourLevel, 0, 2, kNineEntries);
  for (Task& task : tasks) task.tables.map(kDeviceWindow, kDevice);
  Program program(memory, code.start, code.bytes, Program::Mode::bits64);
  visit(program, tasks);
  make_unsync(program, tasks);
  program.read(kDeviceWindow);
  program.mark();
  program.halt();
  vm.run_vcpu(0, kLongMode, tasks.front().tables.root(), program.start(), Rest::in_kernel);
  say_tasks(vm, 0, tasks);
}

// Deleting a memslot makes all roots obsolete, which the vCPU would notice only at its next entry.
void build_stale_vm(Vm& vm, Memory& memory, Memory& deleted) {
  vm.add_slot(0, memory);
  vm.add_slot(1, deleted);
  run_tasks(vm, memory, 4, kLongMode, make_tasks(memory, kFourLevel, 4, 2, kNineEntries));
  vm.delete_slot(1);
}

// More tasks than KVM's limit has room for: it takes pages away below roots that live on.
void build_recycled_vm(Vm& vm, Memory& memory) {
  vm.add_slot(0, memory);
  run_tasks(vm, memory, 1, kLongMode, make_tasks(memory, kFourLevel, 1, 8, kNineEntries));
}

void build_odd_process() {
  Vm blocked("blocked"), stale("stale"), recycled("recycled");
  Memory blocked_memory(0, kSlot0Bytes, Backing::small_pages),
      stale_memory(0, kSlot0Bytes, Backing::small_pages),
      deleted(256 * kMiB, kMiB, Backing::small_pages),
      recycled_memory(0, kSlot0Bytes, Backing::small_pages);
  build_blocked_vm(blocked, blocked_memory);
  build_stale_vm(stale, stale_memory, deleted);
  build_recycled_vm(recycled, recycled_memory);
  park();
}

}  // namespace

std::vector<Process> shadow_processes() {
  return {{"lab-tasks", build_tasks_process},
          {"lab-wide", build_wide_process},
          {"lab-odd", build_odd_process}};
}

}  // namespace lab
