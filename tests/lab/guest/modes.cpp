// Guests in every paging mode, with tables in which it is known of each address where it leads or
// which entry stops it.
#include "tests/lab/guest/mode_entries.hpp"
#include "tests/lab/guest/page_tables.hpp"
#include "tests/lab/guest/program.hpp"
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/scenario.hpp"
#include "tests/lab/guest/task.hpp"
#include "tests/lab/guest/truth.hpp"

#include <span>

namespace lab {
namespace {

constexpr CpuMode kUnpagedMode{"unpaged", 0x50033, 0, 0, false, true};
constexpr CpuMode kPseMode{"protected-pse", 0x80050033, 0x10, 0, false, true};
constexpr CpuMode kPaeNxMode{"pae-nx", 0x80050033, 0x20, 0x800, false, true};
constexpr CpuMode kLongNxMode{"long-nx", 0x80050033, 0x20, 0xd00, true, false};
constexpr CpuMode kLongNxMode57{"long-nx-la57", 0x80050033, 0x1020, 0xd00, true, false};

struct Machine {
  explicit Machine(const char* name)
      : vm(name),
        low(0, kLowBytes, Backing::small_pages),
        high(kHigh, kHighBytes, Backing::huge_pages) {
    vm.limit_shadow_pages(kShadowPages);
    vm.add_slot(0, low);
    vm.add_slot(1, high);
    fill(low, kData, kLowBytes - kData);
    fill(high, kHigh, kHighBytes);
  }

  Vm vm;
  Memory low;
  Memory high;
};

// One vCPU: its tables are built from the lists above, then it runs, then it is told what is true.
class Guest {
 public:
  Guest(Machine& machine, unsigned vcpu, const CpuMode& mode, const PagingMode& paging,
        uint64_t base, uint64_t root_offset = 0)
      : machine_(&machine),
        vcpu_(vcpu),
        mode_(mode),
        base_(base),
        tables_(machine.low, paging, root_offset),
        truth_(machine.vm, vcpu, {&machine.low, &machine.high}),
        program_(machine.low, code_of_vcpu(vcpu).start, code_of_vcpu(vcpu).bytes,
                 mode.long_code ? Program::Mode::bits64 : Program::Mode::bits32) {
    for (uint64_t page = program_.start(); page < program_.start() + 2 * kPageSize;
         page += kPageSize)
      tables_.map(page, page);
  }

  void add(std::span<const Page> pages) {
    for (const Page& page : pages) {
      uint64_t gva = base_ + page.offset;
      tables_.map(gva, page.gpa, page.level, page.flags);
      // A 4 MiB page's high address bits are among the entry's low ones.
      bool high = page.gpa == kPse36;
      truth_.add({gva, high ? kHigh : page.gpa, size(page.level)});
      if (page.use == Use::written) program_.write(gva + 0x10);
      if (page.use == Use::read) program_.read(gva + 0x10);
    }
  }

  void add(std::span<const Stop> stops, bool whole_address = false) {
    for (Stop stop : stops) {
      if (!whole_address) stop.offset += base_;
      if (stop.entry != 0) tables_.put(stop.offset, stop.level, stop.entry);
      stops_.push_back(stop);
    }
  }

  // The small pages once more, seen through a second entry of `level`.
  void add_alias(uint64_t gva, int level) {
    tables_.link(gva, level, tables_.table(base_, level - 1));
    for (const Page& page : kSmallPages) truth_.add({gva + page.offset, page.gpa, kPageSize});
    program_.read(gva + 0x1ff0);
  }

  // The root as a table of every level: the guest then sees it as a page, at the address made of
  // that index.
  void add_recursion(uint64_t index) {
    for (int level = 1; level <= tables_.mode().levels; ++level)
      recursion_ |= index << shift(level);
    tables_.put(recursion_, tables_.mode().levels, tables_.root() | kUsual);
    recursion_ += index * tables_.mode().entry_bytes;
  }

  // A PDE without PSE in CR4 always points to a table.
  void add_small_below_large_bit(uint64_t gva) {
    tables_.map(gva, kData + 0xb000);
    tables_.put(gva, 2, tables_.table(gva, 1) | kUsual | kLargePage);
    truth_.add({gva, kData + 0xb000, kPageSize});
    program_.read(gva + 0x10);
  }

  void run(uint64_t cr3_flags = 0) {
    program_.halt();
    int fd = machine_->vm.run_vcpu(vcpu_, mode_, tables_.root() | cr3_flags, program_.start());
    truth_.check(fd);
    truth_.say_all_translations();
    if (recursion_ != 0) say_recursion();
    for (const Stop& stop : stops_) {
      // Which addresses are canonical is no affair of KVM's walk.
      if (stop.level != 0 && Vm::translate(fd, stop.offset))
        fail("KVM translates %#llx", static_cast<unsigned long long>(stop.offset));
      truth_.say_fault(stop.offset, stop.level, stop.reason);
    }
  }

 private:
  unsigned shift(int level) const { return 12 + tables_.mode().index_bits * (level - 1); }
  uint64_t size(int level) const { return 1ull << shift(level); }

  // Only of the root's entry for itself: most others are zero.
  void say_recursion() {
    truth_.add({recursion_ & ~(kPageSize - 1), tables_.root(), kPageSize});
    truth_.say_translation(recursion_);
  }

  Machine* machine_;
  unsigned vcpu_;
  CpuMode mode_;
  uint64_t base_;
  PageTables tables_;
  Truth truth_;
  Program program_;
  std::vector<Stop> stops_;
  uint64_t recursion_ = 0;
};

constexpr uint64_t kBase32 = 0x40000000;
constexpr uint64_t kBase4 = 1ull << 39;
constexpr uint64_t kBase5 = 1ull << 48 | 1ull << 39;
constexpr uint64_t kAliasOffset = 0x6000000;
constexpr unsigned kRecursiveIndex = 0x9a;

// Without paging an address is what it is.
void run_unpaged(Machine& machine, unsigned vcpu, const CpuMode& mode, Program program) {
  constexpr uint64_t kFirst = 0x2000, kPages = 6;
  for (uint64_t page = kFirst; page < kFirst + kPages * kPageSize; page += kPageSize)
    program.write(page + 0x10);
  program.halt();
  int fd = machine.vm.run_vcpu(vcpu, mode, 0, program.start());
  Truth truth(machine.vm, vcpu, {&machine.low, &machine.high});
  truth.add({kFirst, kFirst, kPages * kPageSize});
  truth.add({kLarge, kLarge, kHugePageSize});
  truth.add({kDevice, kDevice, kPageSize});
  truth.check(fd);
  truth.say_all_translations();
}

void build_unpaged(Machine& machine) {
  fill(machine.low, 0x2000, 6 * kPageSize);
  run_unpaged(machine, 0, kRealMode, Program(machine.low, 0x1000, 0x1000, Program::Mode::bits16));
  run_unpaged(
      machine, 1, kUnpagedMode,
      Program(machine.low, code_of_vcpu(1).start, code_of_vcpu(1).bytes, Program::Mode::bits32));
}

void build_two_level(Machine& machine) {
  Guest plain(machine, 0, kProtectedMode, kTwoLevel, kBase32);
  plain.add(kSmallPages);
  plain.add(kSmallStops);
  plain.add_alias(kBase32 + kAliasOffset, 2);
  plain.add_small_below_large_bit(kBase32 + 2 * kAliasOffset);
  plain.run();

  Guest large(machine, 1, kPseMode, kTwoLevel, kBase32);
  large.add(kSmallPages);
  large.add(kFourMiBPages);
  large.add(kSmallStops);
  large.add(kFourMiBStops);
  large.add_alias(kBase32 + kAliasOffset, 2);
  large.add_recursion(kRecursiveIndex);
  large.run(kCacheFlags);
}

void build_pae(Machine& machine) {
  for (bool nx : {false, true}) {
    Guest guest(machine, nx, nx ? kPaeNxMode : kPaeMode, kPae, kBase32, nx ? 0xfe0 : 0);
    guest.add(kSmallPages);
    guest.add(kTwoMiBPages);
    guest.add(kSmallStops);
    guest.add(kWideStops);
    guest.add(kPaeStops, true);
    guest.add_alias(kBase32 + kAliasOffset, 2);
    if (nx)
      guest.add(kNoExecutePages);
    else
      guest.add(kNoNxStops);
    guest.run();
  }
}

void add_long(Guest& guest, uint64_t base, uint64_t upper_half) {
  guest.add(kSmallPages);
  guest.add(kTwoMiBPages);
  guest.add(kLongPages);
  guest.add(kGiBPages);
  guest.add(kSmallStops);
  guest.add(kWideStops);
  guest.add(kLongStops);
  guest.add_alias(base + kAliasOffset, 2);
  guest.add_alias(upper_half, 4);
  guest.add_recursion(kRecursiveIndex);
}

void build_four_level(Machine& machine) {
  for (bool nx : {false, true}) {
    Guest guest(machine, nx, nx ? kLongNxMode : kLongMode, kFourLevel, kBase4);
    add_long(guest, kBase4, 0xffff888000000000);
    guest.add(kFourLevelStops, true);
    if (nx)
      guest.add(kNoExecutePages);
    else
      guest.add(kNoNxStops);
    guest.run(nx ? kCacheFlags : 0);
  }
}

void build_five_level(Machine& machine) {
  Guest guest(machine, 0, kLongNxMode57, kFiveLevel, kBase5);
  add_long(guest, kBase5, 0xff11000000000000);
  guest.add(kFiveLevelStops, true);
  guest.add(kNoExecutePages);
  guest.run();
}

void build_narrow_process() {
  Machine unpaged("unpaged"), two_level("two-level"), pae("pae");
  build_unpaged(unpaged);
  build_two_level(two_level);
  build_pae(pae);
  park();
}

void build_long_process() {
  Machine four_level("four-level");
  build_four_level(four_level);
  if (!supports_la57()) park();
  Machine five_level("five-level");
  build_five_level(five_level);
  park();
}

}  // namespace

std::vector<Process> modes_processes() {
  return {{"lab-narrow", build_narrow_process}, {"lab-long", build_long_process}};
}

}  // namespace lab
