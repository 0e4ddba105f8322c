// Pages that were costly to get, kept by frame number.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/address.hpp"
#include "core/base/bits.hpp"

namespace kvmscope {

// Sets of four: a page replaces the one of its set that was used longest ago. Memory is taken as
// pages come, 64 MiB at most.
class PageCache {
 public:
  using Page = std::array<std::byte, page_size>;

  PageCache() : sets_(set_count) {}

  // nullptr: not here.
  const Page* find(Pfn frame) {
    for (Slot& slot : set_of(frame)) {
      if (slot.last_use == 0 || slot.frame != frame) continue;
      slot.last_use = ++now_;
      return slot.page.get();
    }
    return nullptr;
  }

  // Has fetch(page) fill a slot for `frame`, which is not here; when it throws, the slot is
  // empty. The result is good until the next fill.
  template <typename Fetch>
  const Page& fill(Pfn frame, Fetch&& fetch) {
    Set& set = set_of(frame);
    Slot& slot = *std::min_element(set.begin(), set.end(), [](const Slot& a, const Slot& b) {
      return a.last_use < b.last_use;
    });
    if (slot.page == nullptr) slot.page = std::make_unique_for_overwrite<Page>();
    slot.last_use = 0;
    fetch(*slot.page);
    slot.frame = frame;
    slot.last_use = ++now_;
    return *slot.page;
  }

 private:
  static constexpr std::size_t set_count = 4096;

  struct Slot {
    Pfn frame;
    std::uint64_t last_use = 0;  // 0: empty
    std::unique_ptr<Page> page;
  };
  using Set = std::array<Slot, 4>;

  Set& set_of(Pfn frame) { return sets_[frame.value % set_count]; }

  std::uint64_t now_ = 0;
  std::vector<Set> sets_;
};

}  // namespace kvmscope
