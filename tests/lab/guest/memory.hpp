// A piece of guest memory: anonymous memory of the runner that a memslot shows to the guest.
#pragma once

#include <cstdint>

namespace lab {

constexpr uint64_t kPageSize = 4096;
constexpr uint64_t kHugePageSize = 2 << 20;
constexpr uint64_t kMiB = 1 << 20;

// Which pages the host backs the memory with: decides the size of the SPTEs.
enum class Backing { small_pages, huge_pages };

class Memory {
 public:
  // Covers guest physical [start, start + bytes). Host and guest addresses agree modulo 2 MiB.
  // Never unmapped.
  Memory(uint64_t start, uint64_t bytes, Backing backing);

  uint64_t start() const { return start_; }
  uint64_t bytes() const { return bytes_; }
  uint64_t host_address() const { return reinterpret_cast<uint64_t>(host_); }

  // The guest physical address of a fresh zeroed page; pages are given out upwards from kFirstFree
  // past start.
  uint64_t allocate_page();

  template <typename T>
  T& at(uint64_t guest_address) {
    return *reinterpret_cast<T*>(host_ + (guest_address - start_));
  }

  // Has the host write a touched 4 KiB page to its swap space; ends the process if it will not.
  void swap_out(uint64_t guest_address);

  // Registers an untouched 4 KiB page with a userfaultfd that nobody reads.
  void leave_to_userfaultfd(uint64_t guest_address);

  // Below it are the guest's programs.
  static constexpr uint64_t kFirstFree = 0x100000;

 private:
  uint64_t start_;
  uint64_t bytes_;
  uint64_t next_free_ = kFirstFree;
  uint8_t* host_ = nullptr;
};

}  // namespace lab
