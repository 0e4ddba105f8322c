// Guest memory that is mapped in every size, and each reason why it is not mapped in a larger one;
// pages that the VM's owner has not got.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/scenario.hpp"
#include "tests/lab/guest/task.hpp"
#include "tests/lab/guest/truth.hpp"

#include <sys/mman.h>

namespace lab {
namespace {

constexpr uint64_t kHuge = 0x10000000;
constexpr uint64_t kLogged = 0x18000000;
constexpr uint64_t kExecuted = 0x20000000;
constexpr uint64_t kSmall = 0x28000000;
constexpr uint64_t kMisaligned = 0x30000000;
constexpr uint64_t kLost = 0x38000000;
constexpr uint64_t kDevice = 0x48000000;  // in no memslot
constexpr uint64_t kAdded = 0x50000000;

// The host's address is one page further than the guest's, modulo 2 MiB.
class Shifted {
 public:
  Shifted(Vm& vm, unsigned slot, uint64_t start, uint64_t bytes)
      : memory_(start, bytes + kHugePageSize, Backing::huge_pages) {
    vm.add_region(slot, start, bytes, memory_.host_address() + kPageSize, 0);
  }

 private:
  Memory memory_;
};

struct Slots {
  explicit Slots(Vm& vm)
      : low(0, 4 * kMiB, Backing::small_pages),
        huge(kHuge, 4 * kMiB, Backing::huge_pages),
        logged(kLogged, 4 * kMiB, Backing::huge_pages),
        executed(kExecuted, 2 * kMiB, Backing::huge_pages),
        small(kSmall, 2 * kMiB, Backing::small_pages),
        lost(kLost, 4 * kMiB, Backing::small_pages),
        misaligned(vm, 5, kMisaligned, 4 * kMiB) {
    Memory* const in_order[] = {&low, &huge, &logged, &executed, &small};
    for (unsigned slot = 0; Memory * memory : in_order) vm.add_slot(slot++, *memory);
    vm.add_slot(6, lost);
  }

  Memory low, huge, logged, executed, small, lost;
  Shifted misaligned;
};

// Touched by the guest and then taken away from the owner, whose page tables say how.
void lose_pages(const Vm& vm, Memory& lost) {
  auto host = [&](int page) { return &lost.at<uint8_t>(kLost + page * kPageSize); };
  if (madvise(host(1), kPageSize, MADV_DONTNEED) != 0) fail("MADV_DONTNEED");
  say_case(vm, kLost + 1 * kPageSize, "host-absent");
  lost.swap_out(kLost + 5 * kPageSize);
  say_case(vm, kLost + 5 * kPageSize, "host-swapped");
  if (mprotect(host(3), kPageSize, PROT_NONE) != 0) fail("mprotect");
  say_case(vm, kLost + 3 * kPageSize, "host-prot-none");
  // Never touched.
  if (munmap(host(7), kPageSize) != 0) fail("munmap");
  say_case(vm, kLost + 7 * kPageSize, "host-unmapped");
  if (mprotect(host(9), kPageSize, PROT_NONE) != 0) fail("mprotect");
  say_case(vm, kLost + 9 * kPageSize, "host-forbidden");
  lost.leave_to_userfaultfd(kLost + 11 * kPageSize);
  say_case(vm, kLost + 11 * kPageSize, "host-userfaultfd");
}

void run_guest(Vm& vm, Slots& slots) {
  PageTables tables = identity_tables(slots.low, 2048 * kMiB);
  Program program = program_of_vcpu(slots.low, 0);
  for (uint64_t start : {kHuge, kLogged, kExecuted, kSmall, kMisaligned}) program.store(start);
  program.store(kLogged + kHugePageSize);
  for (int page = 0; page < 6; ++page) program.store(kLost + page * kPageSize);
  program.read(kDevice);
  program.jump(kExecuted + kPageSize);
  Program last(slots.executed, kExecuted + kPageSize, kPageSize, Program::Mode::bits64);
  last.store(kExecuted + 8 * kPageSize);
  last.halt();
  vm.run_vcpu(0, kLongMode, tables.root(), program.start());
}

void build_splits_process() {
  Vm vm("splits");
  Slots slots(vm);
  run_guest(vm, slots);
  say_case(vm, kHuge, "plain-huge");
  say_case(vm, kHuge + kHugePageSize, "untouched");
  say_case(vm, kExecuted + kPageSize, "nx-split");
  say_case(vm, kSmall, "small-host");
  say_case(vm, kMisaligned, "misaligned");
  vm.add_slot(2, slots.logged, KVM_MEM_LOG_DIRTY_PAGES);
  say_case(vm, kLogged, "dirty-log");
  lose_pages(vm, slots.lost);
  // KVM ages its MMIO entries when memslots change.
  Memory added(kAdded, 2 * kMiB, Backing::small_pages);
  vm.add_slot(7, added);
  say_case(vm, kDevice, "mmio-stale");
  park();
}

}  // namespace

std::vector<Process> splits_processes() {
  return {{"lab-splits", build_splits_process},
          {"lab-logged", build_logged_process},
          {"lab-layout", build_layout_process}};
}

}  // namespace lab
