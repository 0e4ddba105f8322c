// Writes x86 page table entries of all paging modes into guest memory.
#include "tests/lab/guest/page_tables.hpp"

namespace lab {
namespace {

constexpr uint64_t kPresent = 1;
constexpr uint64_t kPresentWritableUser = 7;
constexpr uint64_t kHuge = 0x80;

uint64_t address_of(uint64_t entry) {
  return entry & 0x000ffffffffff000;
}

}  // namespace

PageTables::PageTables(Memory& memory, const PagingMode& mode, uint64_t root_offset)
    : memory_(&memory), mode_(mode), root_(memory.allocate_page() + root_offset) {}

void PageTables::map(uint64_t virtual_address, uint64_t guest_address, int level, uint64_t flags) {
  put(virtual_address, level,
      guest_address | kPresentWritableUser | (level > 1 ? kHuge : 0) | flags);
}

void PageTables::put(uint64_t virtual_address, int level, uint64_t entry) {
  write(make_entry(virtual_address, level), entry);
}

void PageTables::link(uint64_t virtual_address, int level, uint64_t table) {
  write(make_entry(virtual_address, level),
        table | (level == mode_.levels ? mode_.top_flags : kPresentWritableUser));
}

uint64_t PageTables::table(uint64_t virtual_address, int level) const {
  uint64_t table_address = root_;
  for (int above = mode_.levels; above > level; --above)
    table_address = address_of(read(entry_in(table_address, virtual_address, above)));
  return table_address;
}

uint64_t PageTables::entry(uint64_t virtual_address, int level) const {
  return entry_in(table(virtual_address, level), virtual_address, level);
}

uint64_t PageTables::entry_in(uint64_t table_address, uint64_t virtual_address, int level) const {
  unsigned shift = 12 + mode_.index_bits * (level - 1);
  uint64_t index = (virtual_address >> shift) & ((1u << mode_.index_bits) - 1);
  return table_address + index * mode_.entry_bytes;
}

uint64_t PageTables::make_entry(uint64_t virtual_address, int level) {
  for (int above = mode_.levels; above > level; --above) {
    uint64_t there = entry(virtual_address, above);
    if (read(there) & kPresent) continue;
    write(there, memory_->allocate_page() |
                     (above == mode_.levels ? mode_.top_flags : kPresentWritableUser));
  }
  return entry(virtual_address, level);
}

uint64_t PageTables::read(uint64_t entry_address) const {
  return mode_.entry_bytes == 8 ? memory_->at<uint64_t>(entry_address)
                                : memory_->at<uint32_t>(entry_address);
}

void PageTables::write(uint64_t entry_address, uint64_t value) {
  if (mode_.entry_bytes == 8)
    memory_->at<uint64_t>(entry_address) = value;
  else
    memory_->at<uint32_t>(entry_address) = static_cast<uint32_t>(value);
}

}  // namespace lab
