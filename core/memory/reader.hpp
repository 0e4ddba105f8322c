// Where bytes come from: memory of one address domain.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "core/base/address.hpp"
#include "core/base/bits.hpp"

namespace kvmscope {

// What has been read so far, for --timing.
struct ReadCounts {
  std::uint64_t reads = 0;
  std::uint64_t bytes = 0;
};

// What bytes are, for words about them: "struct kvm_mmu_page", "role.word". Both outlive the use.
struct UseLabel {
  std::string_view structure = {};
  std::string_view member = {};
};

template <typename Address>
class Reader {
 public:
  virtual ~Reader() = default;

  // Fills `into` with the bytes from `at`. All or nothing: throws Error{fault}
  // that names the first address that could not be read and why.
  virtual void read(Address at, MutableBytes into) const = 0;

  // For memory that changes while it is read (SteadyMemory). A plain read is of bytes that all
  // matter. peek() reads bytes of which perhaps not all do, and used() says which of them did.
  virtual void peek(Address at, MutableBytes into) const { read(at, into); }
  virtual void used(Address, Bytes, const UseLabel&) const {}
  virtual bool tracks_use() const { return false; }

  template <typename T>
  requires std::is_trivially_copyable_v<T> T value(Address at)
  const {
    T result;
    read(at, std::as_writable_bytes(std::span(&result, 1)));
    return result;
  }
  std::uint64_t u64(Address at) const { return value<std::uint64_t>(at); }
};

using PhysReader = Reader<PhysAddr>;
using VirtReader = Reader<VirtAddr>;

// The 512 entries of one page table.
using Table = std::array<std::uint64_t, 512>;

// Its entries are used one by one: see use_entry().
template <typename Address>
Table read_table(const Reader<Address>& memory, Address at) {
  Table table;
  memory.peek(at, std::as_writable_bytes(std::span(table)));
  return table;
}

// Entry `index` of the table at `at`, which read_table() has read, matters.
template <typename Address>
void use_entry(const Reader<Address>& memory, Address at, const Table& table, unsigned index) {
  if (!memory.tracks_use()) return;
  memory.used(at + 8 * index, std::as_bytes(std::span(&table[index], 1)), {"", "page-table entry"});
}

}  // namespace kvmscope
