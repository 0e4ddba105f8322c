// A guest that runs a guest of its own with nested paging and stays inside it.
#include "tests/lab/guest/report.hpp"
#include "tests/lab/guest/scenario.hpp"
#include "tests/lab/guest/task.hpp"

namespace lab {
namespace {

constexpr CpuMode kHypervisorMode{"long-svm", 0x80050033, 0x20, 0x1500, true, false};

constexpr uint64_t kMemoryBytes = 16 * kMiB;
constexpr uint64_t kData = 2 * kMiB;
constexpr uint64_t kLargeData = 4 * kMiB;
constexpr uint64_t kDevice = 0xd0000000;

// Where the inner guest's program is for itself, and for the outer one.
constexpr uint64_t kInnerCode = 0x1000;
constexpr uint64_t kInnerCodeOutside = kData;

constexpr uint32_t kVmHsavePa = 0xc0010117;

// What the inner guest touches.
struct Pair {
  uint64_t l2_gpa;
  uint64_t gpa;
  int level;
};
constexpr Pair kPairs[] = {
    {0x400000, kData + 0x9000, 1},
    {0x401000, kData + 0x3000, 1},
    {0x40000000, kData + 0x5000, 1},
    {0x600000, kLargeData, 2},
};

// Fields of a VMCB: its offsets are the architecture's.
void set_segment(Memory& memory, uint64_t place, uint16_t selector, uint16_t attributes) {
  memory.at<uint16_t>(place) = selector;
  memory.at<uint16_t>(place + 2) = attributes;
  memory.at<uint32_t>(place + 4) = 0xffffffff;
  memory.at<uint64_t>(place + 8) = 0;
}

// The inner guest runs 32-bit code without paging. Only VMRUN is intercepted, so that its HLT is
// not the outer guest's affair.
uint64_t make_vmcb(Memory& memory, uint64_t nested_root) {
  uint64_t vmcb = memory.allocate_page();
  memory.at<uint32_t>(vmcb + 0x10) = 1;  // VMRUN
  memory.at<uint32_t>(vmcb + 0x58) = 1;  // ASID
  memory.at<uint64_t>(vmcb + 0x90) = 1;  // nested paging
  memory.at<uint64_t>(vmcb + 0xb0) = nested_root;
  set_segment(memory, vmcb + 0x410, 8, 0xc9b);
  for (uint64_t data : {0x400, 0x420, 0x430, 0x440, 0x450})
    set_segment(memory, vmcb + data, 16, 0xc93);
  memory.at<uint64_t>(vmcb + 0x4d0) = 0x1000;  // EFER.SVME
  memory.at<uint64_t>(vmcb + 0x558) = 0x11;    // CR0.PE and ET
  memory.at<uint64_t>(vmcb + 0x560) = 0x400;   // DR7
  memory.at<uint64_t>(vmcb + 0x568) = 0xffff0ff0;
  memory.at<uint64_t>(vmcb + 0x570) = 2;  // RFLAGS
  memory.at<uint64_t>(vmcb + 0x578) = kInnerCode;
  memory.at<uint64_t>(vmcb + 0x668) = 0x0007040600070406;  // PAT
  return vmcb;
}

void write_inner_program(Memory& memory) {
  // At its place in the inner guest's memory; the code does not depend on where it is.
  Program program(memory, kInnerCodeOutside, kPageSize, Program::Mode::bits32);
  for (const Pair& pair : kPairs) program.store(pair.l2_gpa);
  program.halt();
}

void build_nested_process() {
  Vm vm("nested");
  Memory memory(0, kMemoryBytes, Backing::small_pages);
  vm.add_slot(0, memory);
  PageTables outer(memory, kFourLevel), inner(memory, kFourLevel);
  for (uint64_t address = 0; address < kMemoryBytes; address += kHugePageSize)
    outer.map(address, address, 2);
  outer.map(kDevice, kDevice);
  inner.map(kInnerCode, kInnerCodeOutside);
  for (const Pair& pair : kPairs) inner.map(pair.l2_gpa, pair.gpa, pair.level);
  write_inner_program(memory);
  Code code = code_of_vcpu(0);
  Program program(memory, code.start, code.bytes, Program::Mode::bits64);
  program.read(kDevice);
  program.write_msr(kVmHsavePa, memory.allocate_page());
  program.vmrun(make_vmcb(memory, inner.root()));
  program.mark();  // not reached: leaving the inner guest is a failure
  vm.run_vcpu(0, kHypervisorMode, outer.root(), program.start());
  auto say_pair = [&](uint64_t l2_gpa, uint64_t gpa) {
    say("l2 vm=%s vcpu=0 l2gpa=%#llx gpa=%#llx", vm.name().c_str(),
        static_cast<unsigned long long>(l2_gpa), static_cast<unsigned long long>(gpa));
  };
  say_pair(kInnerCode, kInnerCodeOutside);
  for (const Pair& pair : kPairs) say_pair(pair.l2_gpa, pair.gpa);
  park();
}

}  // namespace

std::vector<Process> nested_processes() {
  return {{"lab-nested", build_nested_process}};
}

}  // namespace lab
