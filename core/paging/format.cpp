#include "core/paging/format.hpp"

#include "core/base/bits.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t bit7 = 1ULL << 7;
constexpr std::uint64_t address_52 = bit_range(12, 51);
constexpr std::uint64_t address_52_2m = bit_range(21, 51);
constexpr std::uint64_t address_52_1g = bit_range(30, 51);

// Bit 12 of a large page's entry is its PAT bit.
constexpr LevelFormat x86_level1 = {.shift = 12, .index_bits = 9, .leaf_mask = address_52};
constexpr LevelFormat x86_level2 = {.shift = 21,
                                    .index_bits = 9,
                                    .table_mask = address_52,
                                    .leaf_mask = address_52_2m,
                                    .leaf_reserved = bit_range(13, 20)};
constexpr LevelFormat x86_level3 = {.shift = 30,
                                    .index_bits = 9,
                                    .table_mask = address_52,
                                    .leaf_mask = address_52_1g,
                                    .leaf_reserved = bit_range(13, 29)};
constexpr LevelFormat x86_level4 = {
    .shift = 39, .index_bits = 9, .table_mask = address_52, .table_reserved = bit7};
constexpr LevelFormat x86_level5 = {
    .shift = 48, .index_bits = 9, .table_mask = address_52, .table_reserved = bit7};

// 64-bit entries, but the upper bits (except NX) must be clear.
constexpr std::uint64_t pae_high = bit_range(52, 62);
constexpr LevelFormat pae_level1 = {
    .shift = 12, .index_bits = 9, .leaf_mask = address_52, .leaf_reserved = pae_high};
constexpr LevelFormat pae_level2 = {.shift = 21,
                                    .index_bits = 9,
                                    .table_mask = address_52,
                                    .leaf_mask = address_52_2m,
                                    .table_reserved = pae_high,
                                    .leaf_reserved = pae_high | bit_range(13, 20)};
constexpr LevelFormat pae_level3 = {
    .shift = 30,
    .index_bits = 2,
    .table_mask = address_52,
    .table_reserved = bit_range(52, 63) | bit_range(5, 8) | bit_range(1, 2)};

constexpr LevelFormat legacy_level1 = {
    .shift = 12, .index_bits = 10, .leaf_mask = bit_range(12, 31)};
constexpr LevelFormat legacy_level2 = {
    .shift = 22, .index_bits = 10, .table_mask = bit_range(12, 31)};
constexpr LevelFormat legacy_level2_pse = {.shift = 22,
                                           .index_bits = 10,
                                           .table_mask = bit_range(12, 31),
                                           .leaf_mask = bit_range(22, 31),
                                           .leaf_reserved = 1ULL << 21};

constexpr LevelFormat ept_level1_entry = {.shift = 12, .index_bits = 9, .leaf_mask = address_52};
constexpr LevelFormat ept_level2_entry = {.shift = 21,
                                          .index_bits = 9,
                                          .table_mask = address_52,
                                          .leaf_mask = address_52_2m,
                                          .table_reserved = bit_range(3, 6),
                                          .leaf_reserved = bit_range(12, 20)};
constexpr LevelFormat ept_level3_entry = {.shift = 30,
                                          .index_bits = 9,
                                          .table_mask = address_52,
                                          .leaf_mask = address_52_1g,
                                          .table_reserved = bit_range(3, 6),
                                          .leaf_reserved = bit_range(12, 29)};
constexpr LevelFormat ept_level4_entry = {
    .shift = 39, .index_bits = 9, .table_mask = address_52, .table_reserved = bit_range(3, 7)};
constexpr LevelFormat ept_level5_entry = {
    .shift = 48, .index_bits = 9, .table_mask = address_52, .table_reserved = bit_range(3, 7)};

// Of the low six bits of an EPT entry: writable but not readable (XWR 2 and 6), and the memory
// types 2, 3 and 7, which do not exist.
constexpr std::uint64_t ept_forbidden() {
  std::uint64_t forbidden = 0;
  for (unsigned low = 0; low < 64; ++low) {
    const unsigned access = low & 7;
    const unsigned memory_type = low >> 3;
    if (access == 2 || access == 6 || memory_type == 2 || memory_type == 3 || memory_type == 7)
      forbidden |= 1ULL << low;
  }
  return forbidden;
}

}  // namespace

constinit const PageFormat x86_64_level4 = {
    .name = "4-level",
    .levels = 4,
    .address_bits = 48,
    .sign_extended = true,
    .present_mask = 1,
    .large_page_bit = bit7,
    .root_mask = address_52,
    .level = {x86_level1, x86_level2, x86_level3, x86_level4}};

constinit const PageFormat x86_64_level5 = {
    .name = "5-level",
    .levels = 5,
    .address_bits = 57,
    .sign_extended = true,
    .present_mask = 1,
    .large_page_bit = bit7,
    .root_mask = address_52,
    .level = {x86_level1, x86_level2, x86_level3, x86_level4, x86_level5}};

constinit const PageFormat pae = {.name = "pae",
                                  .levels = 3,
                                  .address_bits = 32,
                                  .present_mask = 1,
                                  .large_page_bit = bit7,
                                  .root_mask = bit_range(5, 31),
                                  .level = {pae_level1, pae_level2, pae_level3}};

constinit const PageFormat legacy_32bit = {.name = "32-bit",
                                           .levels = 2,
                                           .entry_bytes = 4,
                                           .address_bits = 32,
                                           .present_mask = 1,
                                           .root_mask = bit_range(12, 31),
                                           .level = {legacy_level1, legacy_level2}};

constinit const PageFormat legacy_32bit_pse = {.name = "32-bit pse",
                                               .levels = 2,
                                               .entry_bytes = 4,
                                               .address_bits = 32,
                                               .present_mask = 1,
                                               .large_page_bit = bit7,
                                               .root_mask = bit_range(12, 31),
                                               .high_leaf_mask = bit_range(13, 20),
                                               .high_leaf_shift = 19,
                                               .level = {legacy_level1, legacy_level2_pse}};

constinit const PageFormat ept_level4 = {
    .name = "ept 4-level",
    .levels = 4,
    .address_bits = 48,
    .present_mask = 7,
    .large_page_bit = bit7,
    .root_mask = address_52,
    .low_bits_forbidden = ept_forbidden(),
    .level = {ept_level1_entry, ept_level2_entry, ept_level3_entry, ept_level4_entry}};

constinit const PageFormat ept_level5 = {
    .name = "ept 5-level",
    .levels = 5,
    .address_bits = 57,
    .present_mask = 7,
    .large_page_bit = bit7,
    .root_mask = address_52,
    .low_bits_forbidden = ept_forbidden(),
    .level = {ept_level1_entry, ept_level2_entry, ept_level3_entry, ept_level4_entry,
              ept_level5_entry}};

}  // namespace kvmscope
