// Page tables of a guest task, built in its memory by the runner before the guest starts.
#pragma once

#include "tests/lab/guest/memory.hpp"

#include <cstdint>

namespace lab {

// A paging mode as the page tables see it.
struct PagingMode {
  const char* name;
  int levels;
  unsigned entry_bytes;
  unsigned index_bits;
  uint64_t top_flags;  // flags of the root's entries; a PAE PDPTE may have none but present
};

constexpr PagingMode kFiveLevel{"5-level", 5, 8, 9, 7};
constexpr PagingMode kFourLevel{"4-level", 4, 8, 9, 7};
constexpr PagingMode kPae{"pae", 3, 8, 9, 1};
constexpr PagingMode kTwoLevel{"2-level", 2, 4, 10, 7};

class PageTables {
 public:
  // root_offset: where in its page the root starts; that of PAE is smaller than a page.
  PageTables(Memory& memory, const PagingMode& mode, uint64_t root_offset = 0);

  const PagingMode& mode() const { return mode_; }
  uint64_t root() const { return root_; }

  // Maps one page: 4 KiB at level 1, a huge page above. `flags` are more of the entry's bits. Makes
  // the tables in between.
  void map(uint64_t virtual_address, uint64_t guest_address, int level = 1, uint64_t flags = 0);

  // Makes the entry of virtual_address at `level` point to a table that exists already.
  void link(uint64_t virtual_address, int level, uint64_t table);

  // Writes an entry as it is given. Makes the tables above it.
  void put(uint64_t virtual_address, int level, uint64_t entry);

  // Guest physical address of the table of `level` / of the entry of `level` that translates
  // virtual_address.
  uint64_t table(uint64_t virtual_address, int level) const;
  uint64_t entry(uint64_t virtual_address, int level) const;

 private:
  uint64_t read(uint64_t entry_address) const;
  void write(uint64_t entry_address, uint64_t value);
  uint64_t entry_in(uint64_t table_address, uint64_t virtual_address, int level) const;
  uint64_t make_entry(uint64_t virtual_address, int level);

  Memory* memory_;
  PagingMode mode_;
  uint64_t root_;
};

}  // namespace lab
