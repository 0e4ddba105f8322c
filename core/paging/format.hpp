// The page-table formats of x86 as data (Intel SDM volume 3, chapters 4.3-4.5 and 28.3).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace kvmscope {

inline constexpr unsigned max_paging_levels = 5;

// What an entry of one level looks like. All masks are of the entry as it stands in memory.
struct LevelFormat {
  unsigned shift = 0;                // the lowest address bit of the index
  unsigned index_bits = 0;           // 2 to the power of this is the number of entries
  std::uint64_t table_mask = 0;      // the address of the next table; 0: never a table
  std::uint64_t leaf_mask = 0;       // the address of the page; 0: never a leaf
  std::uint64_t table_reserved = 0;  // bits that must be clear in a present table entry
  std::uint64_t leaf_reserved = 0;   // the same for a leaf
};

struct PageFormat {
  std::string_view name;
  unsigned levels = 0;
  unsigned entry_bytes = 8;
  unsigned address_bits = 0;         // of an address to translate
  bool sign_extended = false;        // "canonical": the bits above repeat the top one
  std::uint64_t present_mask = 0;    // present when any of these is set
  std::uint64_t large_page_bit = 0;  // leaf above level 1, where that level may have leaves
  std::uint64_t root_mask = 0;       // the top table's address inside CR3 or an EPT pointer
  // PSE-36 (32-bit, 4 MiB pages): entry bits 20:13 are address bits 39:32.
  std::uint64_t high_leaf_mask = 0;
  unsigned high_leaf_shift = 0;                        // how far left the bits move
  std::uint64_t low_bits_forbidden = 0;                // bit N: the low six bits may not be N (EPT)
  std::array<LevelFormat, max_paging_levels> level{};  // level 1 is [0]

  const LevelFormat& at(unsigned number) const { return level[number - 1]; }
};

extern const PageFormat x86_64_level4;  // also NPT
extern const PageFormat x86_64_level5;
extern const PageFormat pae;
extern const PageFormat legacy_32bit;      // CR4.PSE clear: bit 7 of a directory entry is ignored
extern const PageFormat legacy_32bit_pse;  // CR4.PSE set: 4 MiB pages, up to 40 address bits
extern const PageFormat ept_level4;
extern const PageFormat ept_level5;

}  // namespace kvmscope
