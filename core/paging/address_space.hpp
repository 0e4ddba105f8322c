// Virtual memory: a reader over a reader, through page tables.
#pragma once

#include <cstdint>
#include <optional>

#include "core/memory/reader.hpp"
#include "core/paging/translation_cache.hpp"
#include "core/paging/walk.hpp"

namespace kvmscope {

// Memory of the domain Input, mapped by page tables that lie in Output: guest virtual in guest
// physical, host virtual in host physical. Remembers translations, so it is for memory that
// does not change. Exists for these two pairs and for guest physical in host physical (nested
// page tables).
template <typename Input, typename Output>
class PagedMemory : public Reader<Input> {
 public:
  // Keeps the references. `root` is the address of the top table, `ignored_bits` the bits of
  // an entry that are never part of an address (the SME bit).
  PagedMemory(const Reader<Output>& memory, const PageFormat& format, Output root,
              std::uint64_t ignored_bits = 0);

  // From now on [start, start + size) is the memory from 0 up, without a walk.
  void set_direct_map(Input start, std::uint64_t size);

  // Throws Error{fault}: "… is not a canonical address", "address … is not mapped (level N
  // entry 0x…)", or what the memory below says.
  void read(Input at, MutableBytes into) const override;
  // Where one byte is. Throws as read() does; does not read the byte.
  Output translate(Input at) const;
  // The same without error for what is not mapped; still throws when a table cannot be read.
  std::optional<Output> find(Input at) const;

  const PageTables<Output>& tables() const { return tables_; }

 private:
  // From the direct map or the cache; none: a walk is needed.
  std::optional<TranslationCache::Hit> remembered(Input at) const;
  // Walks, and remembers a leaf. `at` is canonical.
  WalkStep<Output> walk(Input at) const;
  TranslationCache::Hit look_up(Input at) const;
  void read_pages(Input at, MutableBytes into) const;

  PageTables<Output> tables_;
  Input direct_map_;
  std::uint64_t direct_map_size_ = 0;
  mutable TranslationCache cache_;
};

// A kernel's (or process's) virtual memory on x86-64.
class AddressSpace : public PagedMemory<VirtAddr, PhysAddr> {
 public:
  // `levels` is 4 or 5; `sme_mask` is stripped from every entry.
  AddressSpace(const PhysReader& memory, PhysAddr root, unsigned levels,
               std::uint64_t sme_mask = 0);
};

}  // namespace kvmscope
