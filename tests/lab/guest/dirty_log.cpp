// Guest memory whose writes are logged: pages that are write-protected again because the log was
// fetched, and pages that the guest has written since.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/scenario.hpp"
#include "tests/lab/guest/task.hpp"
#include "tests/lab/guest/truth.hpp"

namespace lab {
namespace {

using LongLong = unsigned long long;  // what %llx takes

constexpr unsigned kSmallSlot = 1, kHugeSlot = 2;
constexpr uint64_t kSmall = 0x10000000;
constexpr uint64_t kHuge = 0x20000000;
constexpr uint64_t kSecondHuge = kHuge + kHugePageSize;
constexpr int kPages = 8;         // that the guest writes first
constexpr int kPagesAgain = 2;    // of them that it writes again after that
constexpr int kBitsAtATime = 64;  // what clear_dirty_log takes

struct Guest {
  explicit Guest(const char* name)
      : vm(name),
        low(0, 4 * kMiB, Backing::small_pages),
        small(kSmall, 2 * kMiB, Backing::small_pages),
        huge(kHuge, 4 * kMiB, Backing::huge_pages),
        root(identity_tables(low, 1024 * kMiB).root()) {
    vm.add_slot(0, low);
    vm.add_slot(kHugeSlot, huge);
  }

  // Each in a vCPU of its own, which ends after it.
  void write(uint64_t start, int pages, uint64_t step = kPageSize) {
    Program program = program_of_vcpu(low, next_vcpu);
    for (int page = 0; page < pages; ++page) program.store(start + page * step);
    program.halt();
    vm.run_vcpu(next_vcpu++, kLongMode, root, program.start());
  }

  void expect_log(unsigned slot, const Memory& memory, uint64_t first_page, uint64_t expected) {
    uint64_t bits = vm.dirty_log(slot, memory)[first_page / kBitsAtATime];
    if (bits != expected)
      fail("vm %s: KVM says that %#llx is dirty, not %#llx", vm.name().c_str(), LongLong(bits),
           LongLong(expected));
  }

  void say_pages(uint64_t dirty) {
    for (int page = 0; page < kPages; ++page)
      say_case(vm, kSmall + page * kPageSize,
               dirty >> page & 1 ? "dirty-log-dirty" : "dirty-log-clean");
  }

  Vm vm;
  Memory low, small, huge;
  uint64_t root;
  unsigned next_vcpu = 0;
};

constexpr uint64_t first(int pages) {
  return (uint64_t{1} << pages) - 1;
}

// KVM_GET_DIRTY_LOG write-protects all that it reports.
void protect_by_get() {
  static Guest guest("logged");
  guest.vm.add_slot(kSmallSlot, guest.small, KVM_MEM_LOG_DIRTY_PAGES);
  guest.write(kSmall, kPages);
  guest.expect_log(kSmallSlot, guest.small, 0, first(kPages));
  guest.write(kSmall, kPagesAgain);
  // Asking once more would protect them, too.
  guest.say_pages(first(kPagesAgain));
}

// KVM_CLEAR_DIRTY_LOG write-protects what it is told to, and can be asked at any time.
void protect_by_clear() {
  static Guest guest("logged-by-hand");
  guest.vm.protect_logged_pages_by_hand();
  guest.vm.add_slot(kSmallSlot, guest.small, KVM_MEM_LOG_DIRTY_PAGES);
  for (uint64_t page = 0; page < guest.small.bytes() / kPageSize; page += kBitsAtATime)
    guest.vm.clear_dirty_log(kSmallSlot, page, ~uint64_t{0});
  guest.write(kSmall, kPages);
  guest.expect_log(kSmallSlot, guest.small, 0, first(kPages));
  guest.vm.clear_dirty_log(kSmallSlot, 0, first(kPages / 2));
  guest.write(kSmall, kPagesAgain);
  guest.say_pages(guest.vm.dirty_log(kSmallSlot, guest.small)[0]);

  // Large pages stay as they are until a part of one is cleared.
  guest.write(kHuge, 2, kHugePageSize);
  guest.vm.add_slot(kHugeSlot, guest.huge, KVM_MEM_LOG_DIRTY_PAGES);
  constexpr uint64_t kPart = kHugePageSize / kPageSize;
  guest.vm.clear_dirty_log(kHugeSlot, kPart, ~uint64_t{0});
  guest.expect_log(kHugeSlot, guest.huge, 0, ~uint64_t{0});
  say_case(guest.vm, kHuge, "dirty-log-initial");
  guest.expect_log(kHugeSlot, guest.huge, kPart, 0);
  say_case(guest.vm, kSecondHuge, "dirty-log-part-clean");
  guest.expect_log(kHugeSlot, guest.huge, kPart + kBitsAtATime, ~uint64_t{0});
  say_case(guest.vm, kSecondHuge + kBitsAtATime * kPageSize, "dirty-log-part-dirty");
}

}  // namespace

void build_logged_process() {
  protect_by_get();
  protect_by_clear();
  park();
}

}  // namespace lab
