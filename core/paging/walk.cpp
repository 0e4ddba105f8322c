#include "core/paging/walk.hpp"

#include "core/base/bits.hpp"
#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// Where a leaf's page starts.
std::uint64_t page_start(const PageFormat& format, const LevelFormat& level, unsigned number,
                         std::uint64_t entry) {
  std::uint64_t start = entry & level.leaf_mask;
  // Large pages only: the bits are part of the address in a level-1 entry.
  if (number > 1) start |= (entry & format.high_leaf_mask) << format.high_leaf_shift;
  return start;
}

bool has_reserved_bits(const PageFormat& format, std::uint64_t reserved, std::uint64_t entry) {
  return (entry & reserved) != 0 || (format.low_bits_forbidden >> (entry & 63) & 1) != 0;
}

}  // namespace

std::string_view name(StepKind kind) {
  switch (kind) {
    case StepKind::table: return "table";
    case StepKind::leaf: return "leaf";
    case StepKind::nonpresent: return "nonpresent";
    case StepKind::reserved: return "reserved";
  }
  return "";
}

template <typename Output>
WalkStep<Output> decode_entry(const PageTables<Output>& tables, unsigned level, std::uint64_t entry,
                              std::uint64_t address) {
  const PageFormat& format = tables.format;
  const LevelFormat& here = format.at(level);
  WalkStep<Output> step;
  step.level = level;
  step.index = static_cast<unsigned>(address >> here.shift & low_bits(here.index_bits));
  step.entry = entry;
  if ((entry & format.present_mask) == 0) return step;

  const std::uint64_t bits = entry & ~tables.ignored_bits;
  const bool leaf =
      here.table_mask == 0 || (here.leaf_mask != 0 && (bits & format.large_page_bit) != 0);
  if (has_reserved_bits(format, leaf ? here.leaf_reserved : here.table_reserved, bits)) {
    step.kind = StepKind::reserved;
  } else if (leaf) {
    step.kind = StepKind::leaf;
    step.page_bytes = 1ULL << here.shift;
    step.target = {page_start(format, here, level, bits) + (address & (step.page_bytes - 1))};
  } else {
    step.kind = StepKind::table;
    step.target = {bits & here.table_mask};
  }
  return step;
}

template <typename Output>
WalkStep<Output> read_step(const PageTables<Output>& tables, unsigned level, Output table,
                           std::uint64_t address) {
  const LevelFormat& here = tables.format.at(level);
  const std::uint64_t index = address >> here.shift & low_bits(here.index_bits);
  const Output at = table + index * tables.format.entry_bytes;
  const std::uint64_t entry = with_context(
      [&] { return fmt::format("reading the level {} entry for {:#x}", level, address); },
      [&]() -> std::uint64_t {
        if (tables.format.entry_bytes == 4) return tables.memory.template value<std::uint32_t>(at);
        return tables.memory.u64(at);
      });
  WalkStep<Output> step = decode_entry(tables, level, entry, address);
  step.entry_address = at;
  return step;
}

bool is_canonical(const PageFormat& format, std::uint64_t address) {
  if (format.sign_extended)
    return static_cast<std::uint64_t>(sign_extend(address, format.address_bits)) == address;
  return (address & ~low_bits(format.address_bits)) == 0;
}

template WalkStep<PhysAddr> decode_entry(const PageTables<PhysAddr>&, unsigned, std::uint64_t,
                                         std::uint64_t);
template WalkStep<GuestPhysAddr> decode_entry(const PageTables<GuestPhysAddr>&, unsigned,
                                              std::uint64_t, std::uint64_t);
template WalkStep<PhysAddr> read_step(const PageTables<PhysAddr>&, unsigned, PhysAddr,
                                      std::uint64_t);
template WalkStep<GuestPhysAddr> read_step(const PageTables<GuestPhysAddr>&, unsigned,
                                           GuestPhysAddr, std::uint64_t);

}  // namespace kvmscope
