// Assembles what a guest does: a straight line of machine code that ends in HLT.
#pragma once

#include "tests/lab/guest/memory.hpp"
#include "tests/lab/guest/report.hpp"

#include <cstdint>
#include <initializer_list>

namespace lab {

class Program {
 public:
  enum class Mode { bits16, bits32, bits64 };

  // The code is put at `start` in the memory and may fill `bytes`.
  Program(Memory& memory, uint64_t start, uint64_t bytes, Mode mode)
      : memory_(&memory), start_(start), end_(start + bytes), here_(start), mode_(mode) {}

  uint64_t start() const { return start_; }

  // mov cr3, root
  void load_cr3(uint64_t root) {
    address(root);
    emit({0x0f, 0x22, 0xd8});
  }

  // Reads four bytes (two in real mode).
  void read(uint64_t virtual_address) {
    address(virtual_address);
    emit({0x8b, operands()});
  }

  // Reads and writes the same value back, which to KVM is a write.
  void write(uint64_t virtual_address) {
    read(virtual_address);
    emit({0x89, operands()});
  }

  // Writes without reading first: a read could make the host map its zero page, which a later write
  // replaces by a small page.
  void store(uint64_t virtual_address) {
    address(virtual_address);
    emit({0x89, operands()});
  }

  // mov ecx, register; mov eax and edx, value; wrmsr (in 64-bit code)
  void write_msr(uint32_t msr, uint64_t value) {
    immediate(0xb9, msr);
    immediate(0xb8, static_cast<uint32_t>(value));
    immediate(0xba, static_cast<uint32_t>(value >> 32));
    emit({0x0f, 0x30});
  }

  // vmrun rax
  void vmrun(uint64_t vmcb) {
    address(vmcb);
    emit({0x0f, 0x01, 0xd8});
  }

  // out 0x10, al: leaves KVM_RUN with KVM_EXIT_IO, which says that the guest came here.
  void mark() { emit({0xe6, 0x10}); }

  // mov rax, target; jmp rax
  void jump(uint64_t target) {
    address(target);
    emit({0xff, 0xe0});
  }

  // hlt; and again should anything wake it
  void halt() { emit({0xf4, 0xeb, 0xfd}); }

 private:
  // mov rax, value; eax in 32-bit code; bx in 16-bit code, which cannot address through ax
  void address(uint64_t value) {
    if (mode_ == Mode::bits64) emit({0x48});
    emit({mode_ == Mode::bits16 ? uint8_t{0xbb} : uint8_t{0xb8}});
    int bytes = mode_ == Mode::bits64 ? 8 : mode_ == Mode::bits32 ? 4 : 2;
    for (int i = 0; i < bytes; ++i) emit({static_cast<uint8_t>(value >> (8 * i))});
  }

  // mov of a 32-bit register
  void immediate(uint8_t code, uint32_t value) {
    emit({code});
    for (int i = 0; i < 4; ++i) emit({static_cast<uint8_t>(value >> (8 * i))});
  }

  // The ModRM byte of "ebx and [rax]"; in 16-bit code of "ax and [bx]".
  uint8_t operands() const { return mode_ == Mode::bits16 ? 0x07 : 0x18; }

  void emit(std::initializer_list<uint8_t> bytes) {
    for (uint8_t byte : bytes) {
      if (here_ == end_)
        fail("the program at %#llx is too long", static_cast<unsigned long long>(start_));
      memory_->at<uint8_t>(here_++) = byte;
    }
  }

  Memory* memory_;
  uint64_t start_;
  uint64_t end_;
  uint64_t here_;
  Mode mode_;
};

}  // namespace lab
