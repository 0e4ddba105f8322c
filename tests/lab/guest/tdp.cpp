// Guests for KVM's TDP MMU: memslots of every kind, small and huge pages side by side, a device's
// register.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/scenario.hpp"
#include "tests/lab/guest/task.hpp"
#include "tests/lab/guest/truth.hpp"

namespace lab {
namespace {

constexpr uint64_t kSmall = 0x10000000;
constexpr uint64_t kHuge = 0x20000000;
constexpr uint64_t kReadOnly = 0x30000000;
constexpr uint64_t kLogged = 0x38000000;
constexpr uint64_t kDevice = 0xd0000000;

// The slots of the second address space, that of system management mode, have 1 in their upper
// half.
constexpr unsigned kSmmSlot = 1 << 16;

void write_pages(Program& program, uint64_t start, int pages, uint64_t step) {
  for (int i = 0; i < pages; ++i) program.store(start + i * step);
}

void run(Vm& vm, Memory& memory, unsigned vcpu, Program& program) {
  program.halt();
  vm.run_vcpu(vcpu, kLongMode, identity_tables(memory, 4096 * kMiB).root(), program.start());
  Truth truth(vm, vcpu, {&memory});
  truth.add({0, 0, 4096 * kMiB});
  truth.say_translation(program.start() + 3);
  truth.say_translation(kDevice + 0x123);
}

void expect_both_sizes(const Vm& vm) {
  bool small = vm.statistic("pages_4k") > 0;
  bool huge = vm.statistic("pages_2m") > 0;
  if (!small || !huge) fail("vm %s has not got both page sizes", vm.name().c_str());
}

void build_mixed_process() {
  Vm vm("mixed");
  Memory memory(0, 4 * kMiB, Backing::small_pages), small(kSmall, 8 * kMiB, Backing::small_pages),
      huge(kHuge, 16 * kMiB, Backing::huge_pages), read_only(kReadOnly, kMiB, Backing::small_pages),
      logged(kLogged, 2 * kMiB, Backing::small_pages);
  for (uint64_t page = kReadOnly; page < kReadOnly + kMiB; page += kPageSize)
    read_only.at<uint64_t>(page) = page;
  vm.add_slot(0, memory);
  vm.add_slot(1, small);
  vm.add_slot(2, huge);
  vm.add_slot(3, read_only, KVM_MEM_READONLY);
  vm.add_slot(4, logged, KVM_MEM_LOG_DIRTY_PAGES);

  Program program = program_of_vcpu(memory, 0);
  write_pages(program, kSmall, 300, kPageSize);
  write_pages(program, kHuge, 8, kHugePageSize);
  for (int i = 0; i < 8; ++i) program.read(kReadOnly + i * kPageSize);
  write_pages(program, kLogged, 5, 3 * kPageSize);
  program.read(kDevice);
  program.store(kDevice);
  run(vm, memory, 0, program);
  expect_both_sizes(vm);
  park();
}

void build_second_process() {
  Vm vm("second");
  Memory memory(0, 4 * kMiB, Backing::small_pages), small(kSmall, 4 * kMiB, Backing::small_pages),
      huge(kHuge, 8 * kMiB, Backing::huge_pages);
  vm.add_slot(0, memory);
  vm.add_slot(1, small);
  vm.add_slot(2, huge);
  vm.add_slot(kSmmSlot, memory);
  for (unsigned vcpu : {0u, 2u}) {
    Program program = program_of_vcpu(memory, vcpu);
    write_pages(program, kSmall + vcpu * kMiB, 100, kPageSize);
    write_pages(program, kHuge + vcpu * kHugePageSize, 2, kHugePageSize);
    run(vm, memory, vcpu, program);
  }
  vm.create_vcpu(5);
  expect_both_sizes(vm);
  park();
}

}  // namespace

std::vector<Process> tdp_processes() {
  return {{"lab-mixed", build_mixed_process}, {"lab-second", build_second_process}};
}

}  // namespace lab
