// Assembles 64-bit code that is run again and again, and then ends in HLT.
#pragma once

#include "tests/lab/guest/memory.hpp"

#include <cstdint>
#include <initializer_list>

namespace lab {

class LoopProgram {
 public:
  // The code is put at `start` in the memory and may fill `bytes`; what is emitted next runs
  // `rounds` times.
  LoopProgram(Memory& memory, uint64_t start, uint64_t bytes, uint64_t rounds);

  uint64_t start() const { return start_; }

  // mov cr3, root
  void load_cr3(uint64_t root);

  // Reads eight bytes.
  void read(uint64_t virtual_address);

  // Reads eight bytes and writes them back so often, which to KVM are writes.
  void write(uint64_t virtual_address, int times = 1);

  // invlpg: the next access walks the page tables again.
  void forget(uint64_t virtual_address);

  // Spins until so many ticks of the time-stamp counter have passed.
  void wait(uint64_t ticks);

  // The end of a round; after the last one hlt, and again should anything wake it.
  void finish();

 private:
  void address(uint64_t value);
  void read_clock();
  void emit(std::initializer_list<uint8_t> bytes);
  void emit_little_endian(uint64_t value, int bytes);

  Memory* memory_;
  uint64_t start_;
  uint64_t end_;
  uint64_t here_;
  uint64_t round_;
};

}  // namespace lab
