// Where bytes come from: memory of one address domain.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "core/base/address.hpp"
#include "core/base/bits.hpp"

namespace kvmscope {

// What has been read so far, for --timing.
struct ReadCounts {
  std::uint64_t reads = 0;
  std::uint64_t bytes = 0;
};

template <typename Address>
class Reader {
 public:
  virtual ~Reader() = default;

  // Fills `into` with the bytes from `at`. All or nothing: throws Error{fault}
  // that names the first address that could not be read and why.
  virtual void read(Address at, MutableBytes into) const = 0;

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

template <typename Address>
Table read_table(const Reader<Address>& memory, Address at) {
  Table table;
  memory.read(at, std::as_writable_bytes(std::span(table)));
  return table;
}

}  // namespace kvmscope
