// What is known by address, of many objects: a hash table without an allocation for each.
#pragma once

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
      : slots_(memory) {}

  const Value* find(std::uint64_t address) const {
    if (slots_.empty()) return nullptr;
    const Slot& slot = slots_[place(address)];
    return slot.used ? &slot.value : nullptr;
  }
  Value* find(std::uint64_t address) {
    return const_cast<Value*>(std::as_const(*this).find(address));
  }

  // The value at the address, and whether it is a new one. Ends the life of pointers to others.
  std::pair<Value*, bool> insert(std::uint64_t address, const Value& value = {}) {
    if (4 * (size_ + 1) > 3 * slots_.size()) grow();
    Slot& slot = slots_[place(address)];
    if (slot.used) return {&slot.value, false};
    slot = {address, value, true};
    ++size_;
    return {&slot.value, true};
  }

 private:
  struct Slot {
    std::uint64_t address = 0;
    Value value{};
    bool used = false;
  };

  // Of the address, or the free place that it would have.
  std::size_t place(std::uint64_t address) const {
    constexpr std::uint64_t golden_ratio = 0x9e3779b97f4a7c15;
    const std::size_t mask = slots_.size() - 1;
    const int shift = 64 - std::countr_zero(slots_.size());
    std::size_t at = address * golden_ratio >> shift;
    while (slots_[at].used && slots_[at].address != address) at = (at + 1) & mask;
    return at;
  }

  void grow() {
    constexpr std::size_t least = 1024;
    std::pmr::vector<Slot> before(slots_.empty() ? least : 4 * slots_.size(),
                                  slots_.get_allocator());
    before.swap(slots_);
    for (Slot& slot : before)
      if (slot.used) slots_[place(slot.address)] = std::move(slot);
  }

  std::pmr::vector<Slot> slots_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace kvmscope
