// Address and frame-number types: mixing two kinds of address does not compile.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace kvmscope {

// A number of one domain. Adding an offset keeps the domain; the difference of
// two is a plain byte (or frame) count.
template <typename Tag>
struct Number {
  std::uint64_t value = 0;

  constexpr auto operator<=>(const Number&) const = default;
  constexpr Number operator+(std::uint64_t offset) const { return {value + offset}; }
  constexpr Number operator-(std::uint64_t offset) const { return {value - offset}; }
  constexpr std::uint64_t operator-(Number other) const { return value - other.value; }
  constexpr Number& operator+=(std::uint64_t offset) {
    value += offset;
    return *this;
  }
};

using PhysAddr = Number<struct PhysAddrTag>;            // host physical, bytes
using VirtAddr = Number<struct VirtAddrTag>;            // host kernel virtual, bytes
using GuestPhysAddr = Number<struct GuestPhysAddrTag>;  // guest physical, bytes
using GuestVirtAddr = Number<struct GuestVirtAddrTag>;  // guest virtual, bytes
using Gfn = Number<struct GfnTag>;                      // guest frame number: gpa / 4096
using Pfn = Number<struct PfnTag>;                      // host frame number: hpa / 4096

inline constexpr std::uint64_t page_shift = 12;
inline constexpr std::uint64_t page_size = 1ULL << page_shift;
inline constexpr std::uint64_t page_offset_mask = page_size - 1;

constexpr PhysAddr to_phys(Pfn pfn) {
  return {pfn.value << page_shift};
}
constexpr Pfn to_pfn(PhysAddr address) {
  return {address.value >> page_shift};
}
constexpr GuestPhysAddr to_gpa(Gfn gfn) {
  return {gfn.value << page_shift};
}
constexpr Gfn to_gfn(GuestPhysAddr address) {
  return {address.value >> page_shift};
}

}  // namespace kvmscope

template <typename Tag>
struct std::hash<kvmscope::Number<Tag>> {
  std::size_t operator()(const kvmscope::Number<Tag>& number) const noexcept {
    return std::hash<std::uint64_t>{}(number.value);
  }
};
