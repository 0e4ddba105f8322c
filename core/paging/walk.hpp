// One walk through page tables, with every step on the way.
#pragma once

#include <cassert>
#include <cstdint>
#include <string_view>

#include "core/memory/reader.hpp"
#include "core/paging/format.hpp"

namespace kvmscope {

enum class StepKind { table, leaf, nonpresent, reserved };

// "table", "leaf", "nonpresent", "reserved".
std::string_view name(StepKind kind);

// On x86 a table lies in the same address domain as the pages it maps: Output is the
// domain of both (host physical for the host's tables and EPT, guest physical for a guest's).
template <typename Output>
struct WalkStep {
  unsigned level = 0;
  unsigned index = 0;
  Output entry_address;
  std::uint64_t entry = 0;
  StepKind kind = StepKind::nonpresent;  // reserved: present, with bits set that must be clear
  Output target;                 // table: the next table; leaf: what the address maps to; else 0
  std::uint64_t page_bytes = 0;  // leaf: the size of its page
};

// Tables with their root: root is a table's address, not a raw CR3.
template <typename Output>
struct PageTables {
  const Reader<Output>& memory;
  const PageFormat& format;
  Output root;
  std::uint64_t ignored_bits = 0;  // never part of an address: the SME or TDX bit
};

// What `entry` of `level` means for `address`: pure, reads nothing.
template <typename Output>
WalkStep<Output> decode_entry(const PageTables<Output>& tables, unsigned level, std::uint64_t entry,
                              std::uint64_t address);

// Reads and decodes the entry of the table at `table` that `address` selects.
// Throws Error{fault} when the entry cannot be read.
template <typename Output>
WalkStep<Output> read_step(const PageTables<Output>& tables, unsigned level, Output table,
                           std::uint64_t address);

// Calls visit(step) for each step from the top level down and returns the last: its kind is
// never table. Throws Error{fault} with the level when an entry cannot be read; what was
// visited before stands. Does not check that the address is canonical.
template <typename Output, typename Visit>
WalkStep<Output> walk_pages(const PageTables<Output>& tables, std::uint64_t address,
                            Visit&& visit) {
  Output table = tables.root;
  for (unsigned level = tables.format.levels;; --level) {
    assert(level >= 1);  // the formats have no tables at level 1
    const WalkStep<Output> step = read_step(tables, level, table, address);
    visit(step);
    if (step.kind != StepKind::table) return step;
    table = step.target;
  }
}

template <typename Output>
WalkStep<Output> walk_pages(const PageTables<Output>& tables, std::uint64_t address) {
  return walk_pages(tables, address, [](const WalkStep<Output>&) {});
}

// Whether the format can translate the address at all ("canonical").
bool is_canonical(const PageFormat& format, std::uint64_t address);

}  // namespace kvmscope
