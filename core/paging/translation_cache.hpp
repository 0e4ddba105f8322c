// Remembers where pages are: one small direct-mapped table for each page size.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace kvmscope {

class TranslationCache {
 public:
  // The bytes from an address to the end of its page, and where they are.
  struct Hit {
    std::uint64_t target = 0;
    std::uint64_t bytes_left = 0;
  };

  TranslationCache() {
    for (const Size& size : sizes) entries_.resize(entries_.size() + size.entries);
  }

  std::optional<Hit> find(std::uint64_t address) const {
    for (const Size& size : sizes) {
      const Entry& entry = entries_[slot(size, address)];
      const std::uint64_t inside = address & (size.page_bytes() - 1);
      if (entry.tag == tag(address - inside))
        return Hit{entry.target + inside, size.page_bytes() - inside};
    }
    return std::nullopt;
  }

  // `address` is at `target`, inside a page of `page_bytes`; pages of other sizes than
  // these three (4 MiB of 32-bit tables) are remembered in pieces that fit.
  void add(std::uint64_t address, std::uint64_t target, std::uint64_t page_bytes) {
    const Size* best = &sizes[0];
    for (const Size& size : sizes)
      if (size.page_bytes() <= page_bytes) best = &size;
    const std::uint64_t inside = address & (best->page_bytes() - 1);
    entries_[slot(*best, address)] = {tag(address - inside), target - inside};
  }

 private:
  struct Size {
    unsigned shift;
    std::size_t entries;  // a power of two
    std::size_t first;    // of this size in entries_
    constexpr std::uint64_t page_bytes() const { return 1ULL << shift; }
  };
  static constexpr std::array<Size, 3> sizes{{{12, 1024, 0}, {21, 128, 1024}, {30, 16, 1152}}};

  struct Entry {
    std::uint64_t tag = 0;  // 0: empty
    std::uint64_t target = 0;
  };

  static constexpr std::uint64_t tag(std::uint64_t page_start) { return page_start | 1; }
  static constexpr std::size_t slot(const Size& size, std::uint64_t address) {
    return size.first + ((address >> size.shift) & (size.entries - 1));
  }

  std::vector<Entry> entries_;
};

}  // namespace kvmscope
