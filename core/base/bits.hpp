// Bits and bytes: masks, alignment, loads from a little-endian target.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace kvmscope {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

// The lowest `count` bits set; count 0 to 64.
constexpr std::uint64_t low_bits(unsigned count) {
  return count >= 64 ? ~0ULL : (1ULL << count) - 1;
}

// Bits [first, last] set, both inclusive.
constexpr std::uint64_t bit_range(unsigned first, unsigned last) {
  return low_bits(last + 1) & ~low_bits(first);
}

constexpr std::uint64_t align_down(std::uint64_t value, std::uint64_t power_of_two) {
  return value & ~(power_of_two - 1);
}

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t power_of_two) {
  return align_down(value + power_of_two - 1, power_of_two);
}

constexpr bool is_aligned(std::uint64_t value, std::uint64_t power_of_two) {
  return (value & (power_of_two - 1)) == 0;
}

// The value at `offset`; the caller guarantees that it lies inside `bytes`.
template <typename T>
requires std::is_trivially_copyable_v<T> T load(Bytes bytes, std::size_t offset = 0) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// An unsigned little-endian number of 0 to 8 bytes.
inline std::uint64_t load_unsigned(Bytes bytes) {
  // A copy of a size that is not known is a call, and the load behind it waits for that.
  switch (bytes.size()) {
    case 1: return load<std::uint8_t>(bytes);
    case 2: return load<std::uint16_t>(bytes);
    case 4: return load<std::uint32_t>(bytes);
    case 8: return load<std::uint64_t>(bytes);
    default: break;
  }
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), bytes.size() < 8 ? bytes.size() : 8);
  return value;
}

// The low `bits` of `value` as a two's complement number; bits 1 to 64.
constexpr std::int64_t sign_extend(std::uint64_t value, unsigned bits) {
  const unsigned shift = 64 - bits;
  return static_cast<std::int64_t>(value << shift) >> shift;
}

}  // namespace kvmscope
