// What the runner knows of a vCPU's addresses, from what it meant and not from a walk, told to the
// lab line by line.
#pragma once

#include "tests/lab/guest/memory.hpp"
#include "tests/lab/guest/vm.hpp"

#include <cstdint>
#include <vector>

namespace lab {

// Gives every eight bytes of [start, start + bytes) a value of their own, which is never zero.
void fill(Memory& memory, uint64_t start, uint64_t bytes);

// Says what was prepared at a guest physical address.
void say_case(const Vm& vm, uint64_t gpa, const char* kind);

// One page of a guest's address space.
struct Mapping {
  uint64_t gva;
  uint64_t gpa;
  uint64_t bytes;
};

class Truth {
 public:
  // `memories` are all that the VM's memslots show; addresses outside them are those of devices.
  Truth(const Vm& vm, unsigned vcpu, std::vector<Memory*> memories)
      : vm_(&vm), vcpu_(vcpu), memories_(std::move(memories)) {}

  void add(Mapping mapping) { mappings_.push_back(mapping); }

  // Says where the address leads and which 16 bytes are there ("-" if one of them is a device's).
  // Says nothing if they are not all mapped.
  void say_translation(uint64_t gva) const;

  // The first and the last bytes of each mapping, some in between, and those that go over its end.
  void say_all_translations() const;

  // Says that the entry of `level` stops a walk; 0: that no walk is begun.
  void say_fault(uint64_t gva, int level, const char* reason) const;

  // Holds all that was added against KVM's own walk of the guest's tables.
  void check(int vcpu_fd) const;

 private:
  const Mapping* find(uint64_t gva) const;
  Memory* memory_of(uint64_t gpa) const;

  const Vm* vm_;
  unsigned vcpu_;
  std::vector<Memory*> memories_;
  std::vector<Mapping> mappings_;
};

}  // namespace lab
