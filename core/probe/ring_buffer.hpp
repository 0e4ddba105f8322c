// Pages of the kernel's trace ring buffer, as trace_pipe_raw gives them: their events, with times.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bits.hpp"

namespace kvmscope::probe {

// What events/header_page of tracefs says: offsets and sizes in bytes.
struct PageLayout {
  std::size_t time_offset = 0;
  std::size_t commit_offset = 8;
  std::size_t commit_size = 8;
  std::size_t data_offset = 16;
  std::size_t data_size = 4080;

  std::size_t page_size() const { return data_offset + data_size; }
};

// Throws Error{corrupt} on a text that is no such file, or describes no page that can be.
PageLayout parse_page_layout(std::string_view header_page);

// One event: `data` is what its `format` file describes.
struct RawEvent {
  std::uint64_t time_ns = 0;
  Bytes data;  // inside the page
};

// What a page says beside its events.
struct PageReport {
  // Events that were overwritten before this page was read. The kernel does not always say how
  // many: then only the flag is set.
  bool missed = false;
  std::uint64_t missed_count = 0;
  // Why the page ended before its last event; empty: it did not.
  std::string damage;
};

// Appends the events of a page to `events`: in order of time, bounded by the page whatever it
// holds. include/linux/ring_buffer.h, and the words about its format in kernel/trace/ring_buffer.c.
PageReport read_page(const PageLayout& layout, Bytes page, std::vector<RawEvent>& events);

}  // namespace kvmscope::probe
