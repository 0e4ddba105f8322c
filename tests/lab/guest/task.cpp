// Builds tasks and the code that makes KVM shadow them and leave their leaf tables unsync.
#include "tests/lab/guest/task.hpp"

#include "tests/lab/guest/report.hpp"

#include <utility>

namespace lab {

Program program_of_vcpu(Memory& memory, unsigned id) {
  Code code = code_of_vcpu(id);
  return Program(memory, code.start, code.bytes, Program::Mode::bits64);
}

PageTables identity_tables(Memory& memory, uint64_t bytes) {
  PageTables tables(memory, kFourLevel);
  for (uint64_t address = 0; address < bytes; address += kHugePageSize)
    tables.map(address, address, 2);
  return tables;
}

Task make_task(Memory& memory, const PagingMode& mode, Code code, std::vector<uint64_t> leaves) {
  PageTables tables(memory, mode);
  for (uint64_t offset = 0; offset < code.bytes; offset += kPageSize)
    tables.map(code.start + offset, code.start + offset);
  for (uint64_t offset = 0; offset < kWindowBytes; offset += kPageSize)
    tables.map(kWindow + offset, offset);
  for (uint64_t leaf : leaves) tables.map(leaf, memory.allocate_page());
  return {tables, std::move(leaves)};
}

void visit(Program& program, const std::vector<Task>& tasks) {
  for (const Task& task : tasks) {
    program.load_cr3(task.tables.root());
    for (uint64_t leaf : task.leaves) program.read(leaf);
  }
}

void make_unsync(Program& program, const std::vector<Task>& tasks) {
  for (const Task& task : tasks)
    for (uint64_t leaf : task.leaves) program.write(kWindow + task.tables.entry(leaf, 1));
}

void say_tasks(const Vm& vm, unsigned vcpu, const std::vector<Task>& tasks) {
  for (const Task& task : tasks)
    say("task vm=%s vcpu=%u paging=%s cr3=%#llx unsync=%zu", vm.name().c_str(), vcpu,
        task.tables.mode().name, static_cast<unsigned long long>(task.tables.root()),
        task.leaves.size());
}

}  // namespace lab
