// A task of a guest: page tables of its own, and the pages it touches through them.
#pragma once

#include "tests/lab/guest/page_tables.hpp"
#include "tests/lab/guest/program.hpp"
#include "tests/lab/guest/vm.hpp"

#include <cstdint>
#include <vector>

namespace lab {

// Where every task sees the first 4 MiB of guest memory, in which all page tables are.
constexpr uint64_t kWindow = 0x40000000;
constexpr uint64_t kWindowBytes = 4 * kMiB;

// Where a vCPU's program is.
struct Code {
  uint64_t start;
  uint64_t bytes;
};
constexpr Code code_of_vcpu(unsigned id) {
  return {0x10000 + id * 0x8000ull, 0x8000};
}

// Where a 64-bit vCPU begins; the caller ends it with halt().
Program program_of_vcpu(Memory& memory, unsigned id);

// 4-level tables that map the first bytes to themselves, by huge pages: the size of an SPTE is then
// the host's choice.
PageTables identity_tables(Memory& memory, uint64_t bytes);

struct Task {
  PageTables tables;
  std::vector<uint64_t> leaves;  // virtual addresses, one below each leaf table that will be unsync
};

// A task with its code, the window, and one data page at each of the addresses, each below a leaf
// table of its own.
Task make_task(Memory& memory, const PagingMode& mode, Code code, std::vector<uint64_t> leaves);

// Each task in turn becomes the running one and reads all its leaves: KVM shadows its tables.
void visit(Program& program, const std::vector<Task>& tasks);

// The running task writes to every leaf table of all tasks: KVM makes their shadow pages unsync.
void make_unsync(Program& program, const std::vector<Task>& tasks);

// Says each task's CR3 and how many of its leaf tables are unsync.
void say_tasks(const Vm& vm, unsigned vcpu, const std::vector<Task>& tasks);

}  // namespace lab
