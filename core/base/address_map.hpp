// What is known by address, of many objects: a hash table without an allocation for each.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory_resource>
#include <utility>
#include <vector>

namespace kvmscope {

template <typename Value>
class AddressMap {
 public:
  // Takes its memory from there; keeps the pointer.
  explicit AddressMap(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : places_(memory), entries_(memory) {}

  // Room for so many. Ends the life of pointers to values.
  void reserve(std::size_t count) {
    entries_.reserve(count);
    if (!has_room_for(count)) grow(std::bit_ceil(2 * count));
  }

  const Value* find(std::uint64_t address) const {
    if (places_.empty()) return nullptr;
    const std::uint32_t number = places_[place(address)];
    return number != 0 ? &entries_[number - 1].value : nullptr;
  }
  Value* find(std::uint64_t address) {
    return const_cast<Value*>(std::as_const(*this).find(address));
  }

  // The address is likely to be looked for soon.
  void expect(std::uint64_t address) const {
    if (!places_.empty()) __builtin_prefetch(&places_[first_place(address)]);
  }

  // The value at the address, and whether it is a new one. Ends the life of pointers to others.
  std::pair<Value*, bool> insert(std::uint64_t address, const Value& value = {}) {
    if (!has_room_for(entries_.size() + 1)) grow(2 * places_.size());
    std::uint32_t& number = places_[place(address)];
    if (number != 0) return {&entries_[number - 1].value, false};
    entries_.push_back({address, value});
    number = static_cast<std::uint32_t>(entries_.size());
    return {&entries_.back().value, true};
  }

 private:
  struct Entry {
    std::uint64_t address;
    Value value;
  };

  bool has_room_for(std::size_t count) const { return 2 * count <= places_.size(); }

  std::size_t first_place(std::uint64_t address) const {
    constexpr std::uint64_t golden_ratio = 0x9e3779b97f4a7c15;
    return address * golden_ratio >> (64 - std::countr_zero(places_.size()));
  }

  // Of the address, or the free place that it would have.
  std::size_t place(std::uint64_t address) const {
    const std::size_t mask = places_.size() - 1;
    std::size_t at = first_place(address);
    while (places_[at] != 0 && entries_[places_[at] - 1].address != address) at = (at + 1) & mask;
    return at;
  }

  // `size`: a power of two, or 0.
  void grow(std::size_t size) {
    constexpr std::size_t least = 1024;
    places_.assign(std::max(size, least), 0);
    for (std::size_t i = 0; i < entries_.size(); ++i)
      places_[place(entries_[i].address)] = static_cast<std::uint32_t>(i + 1);
  }

  // A search jumps about in these alone: small enough to stay near the processor.
  std::pmr::vector<std::uint32_t> places_;  // a power of two; number of the entry, from 1; 0: free
  std::pmr::vector<Entry> entries_;         // as they came
};

}  // namespace kvmscope
