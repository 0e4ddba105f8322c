// The memory of a fake kernel: allocated piece by piece, written by the names of members.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "core/kernel/fields.hpp"
#include "core/memory/buffer.hpp"
#include "core/types/types.hpp"

namespace kvmscope {

// All of it lies in the direct map, so that a virtual address is a physical one plus a constant.
// What was not allocated is not there.
class FakeMemory {
 public:
  static constexpr VirtAddr direct_map{0xffff888000000000};
  static constexpr VirtAddr vmemmap{0xffff888020000000};

  explicit FakeMemory(const Types& types) : types_(types) {}

  const BufferReader<PhysAddr>& physical() const { return physical_; }
  static constexpr PhysAddr phys(VirtAddr at) { return {at - direct_map}; }
  static constexpr VirtAddr virt(PhysAddr at) { return direct_map + at.value; }

  // Zeroed bytes, 64-byte aligned, with a gap behind them.
  VirtAddr allocate(std::uint64_t size);
  VirtAddr allocate(std::string_view structure) { return allocate(size_of(structure)); }
  // A zeroed page with a struct page whose private is `owner`.
  VirtAddr allocate_page(VirtAddr owner = {});
  VirtAddr string(std::string_view text);

  void poke(VirtAddr at, std::uint64_t value) { physical_.set_u64(phys(at), value); }
  std::uint64_t peek(VirtAddr at) const { return physical_.u64(phys(at)); }
  void write(VirtAddr at, Bytes bytes) { physical_.add(phys(at), bytes); }
  void write(VirtAddr at, std::string_view text) { physical_.add(phys(at), text); }
  // Reading there faults from now on.
  void leave_out(VirtAddr at, std::uint64_t size = page_size) { physical_.remove(phys(at), size); }

  // The member of the struct or union at `at` ("kvm_mmu", "prev_roots[1].hpa"). Of several
  // spellings the one that this kernel has; at least one must be there, but for try_set().
  using Spellings = std::initializer_list<std::string_view>;
  void set(VirtAddr at, std::string_view structure, std::string_view path, std::uint64_t value) {
    set(at, structure, {path}, value);
  }
  void set(VirtAddr at, std::string_view structure, Spellings paths, std::uint64_t value);
  bool try_set(VirtAddr at, std::string_view structure, Spellings paths, std::uint64_t value);
  std::uint64_t get(VirtAddr at, std::string_view structure, std::string_view path) const;
  VirtAddr member(VirtAddr at, std::string_view structure, Spellings paths) const;
  VirtAddr member(VirtAddr at, std::string_view structure, std::string_view path) const {
    return member(at, structure, {path});
  }
  bool has(std::string_view structure, std::string_view path) const;
  std::uint64_t size_of(std::string_view structure) const;
  std::uint64_t element_count(std::string_view structure, std::string_view path) const;

  // struct list_head
  void init_list(VirtAddr head);
  void list_add(VirtAddr node, VirtAddr head);       // at the front
  void list_add_tail(VirtAddr node, VirtAddr head);  // at the end
  void list_del(VirtAddr node);

 private:
  const Type& type(std::string_view structure) const;
  std::optional<FoundMember> find(std::string_view structure, Spellings paths) const;
  FoundMember need(std::string_view structure, Spellings paths) const;

  const Types& types_;
  BufferReader<PhysAddr> physical_;
  PhysAddr next_{0x100000};
  PhysAddr next_page_{0x4000000};
};

}  // namespace kvmscope
