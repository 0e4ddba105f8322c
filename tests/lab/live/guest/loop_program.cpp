// Assembles 64-bit code that is run again and again, and then ends in HLT.
#include "tests/lab/live/guest/loop_program.hpp"

#include "tests/lab/guest/report.hpp"

namespace lab {

LoopProgram::LoopProgram(Memory& memory, uint64_t start, uint64_t bytes, uint64_t rounds)
    : memory_(&memory), start_(start), end_(start + bytes), here_(start) {
  emit({0x49, 0xbf});  // mov r15, rounds
  emit_little_endian(rounds, 8);
  round_ = here_;
}

void LoopProgram::load_cr3(uint64_t root) {
  address(root);
  emit({0x0f, 0x22, 0xd8});
}

void LoopProgram::read(uint64_t virtual_address) {
  address(virtual_address);
  emit({0x48, 0x8b, 0x18});  // mov rbx, [rax]
}

void LoopProgram::write(uint64_t virtual_address, int times) {
  read(virtual_address);
  for (int i = 0; i < times; ++i) emit({0x48, 0x89, 0x18});  // mov [rax], rbx
}

void LoopProgram::forget(uint64_t virtual_address) {
  address(virtual_address);
  emit({0x0f, 0x01, 0x38});
}

void LoopProgram::wait(uint64_t ticks) {
  read_clock();
  emit({0x49, 0xbe});  // mov r14, ticks
  emit_little_endian(ticks, 8);
  emit({0x49, 0x01, 0xc6});  // add r14, rax
  uint64_t again = here_;
  emit({0xf3, 0x90});  // pause
  read_clock();
  emit({0x4c, 0x39, 0xf0});  // cmp rax, r14
  emit({0x72});              // jb again
  emit_little_endian(again - (here_ + 1), 1);
}

void LoopProgram::finish() {
  emit({0x49, 0xff, 0xcf});  // dec r15
  emit({0x0f, 0x85});        // jnz round
  emit_little_endian(round_ - (here_ + 4), 4);
  emit({0xf4, 0xeb, 0xfd});
}

// To rax.
void LoopProgram::read_clock() {
  emit({0x0f, 0x31});              // rdtsc
  emit({0x48, 0xc1, 0xe2, 0x20});  // shl rdx, 32
  emit({0x48, 0x09, 0xd0});        // or rax, rdx
}

// mov rax, value
void LoopProgram::address(uint64_t value) {
  emit({0x48, 0xb8});
  emit_little_endian(value, 8);
}

void LoopProgram::emit(std::initializer_list<uint8_t> bytes) {
  for (uint8_t byte : bytes) {
    if (here_ == end_)
      fail("the program at %#llx is too long", static_cast<unsigned long long>(start_));
    memory_->at<uint8_t>(here_++) = byte;
  }
}

void LoopProgram::emit_little_endian(uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) emit({static_cast<uint8_t>(value >> (8 * i))});
}

}  // namespace lab
