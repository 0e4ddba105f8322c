// Memory that was put together byte by byte, for tests: what was not added faults.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "core/base/error.hpp"
#include "core/memory/reader.hpp"

namespace kvmscope {

template <typename Address>
class BufferReader final : public Reader<Address> {
 public:
  // What is added later replaces what was there. The bytes are copied.
  void add(Address at, Bytes bytes) {
    for_each_piece(at, bytes.size(),
                   [&](std::uint64_t page, std::size_t from, std::size_t count, std::size_t done) {
                     Page& target = pages_[page];
                     std::memcpy(target.bytes.data() + from, bytes.data() + done, count);
                     for (std::size_t i = 0; i < count; ++i) target.known.set(from + i);
                   });
  }
  // The characters alone, no terminator.
  void add(Address at, std::string_view text) { add(at, std::as_bytes(std::span(text))); }
  void add_zeros(Address at, std::size_t count) {
    for_each_piece(at, count,
                   [&](std::uint64_t page, std::size_t from, std::size_t piece, std::size_t) {
                     Page& target = pages_[page];
                     std::memset(target.bytes.data() + from, 0, piece);
                     for (std::size_t i = 0; i < piece; ++i) target.known.set(from + i);
                   });
  }
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void set(Address at, const T& value) { add(at, std::as_bytes(std::span(&value, 1))); }
  void set_u64(Address at, std::uint64_t value) { set(at, value); }
  void set_u32(Address at, std::uint32_t value) { set(at, value); }

  // Makes a hole: reading there faults from now on.
  void remove(Address at, std::size_t count) {
    for_each_piece(at, count,
                   [&](std::uint64_t page, std::size_t from, std::size_t piece, std::size_t) {
                     for (std::size_t i = 0; i < piece; ++i) pages_[page].known.reset(from + i);
                   });
  }

  void read(Address at, MutableBytes into) const override {
    ++counts_.reads;
    counts_.bytes += into.size();
    for_each_piece(at, into.size(),
                   [&](std::uint64_t page, std::size_t from, std::size_t count, std::size_t done) {
                     const auto found = pages_.find(page);
                     for (std::size_t i = 0; i < count; ++i)
                       if (found == pages_.end() || !found->second.known.test(from + i))
                         throw_error(ErrorKind::fault, "no such memory at {:#x}",
                                     at.value + done + i);
                     std::memcpy(into.data() + done, found->second.bytes.data() + from, count);
                   });
  }

  // How often this memory was read, failed reads included.
  const ReadCounts& counts() const { return counts_; }

 private:
  struct Page {
    std::array<std::byte, page_size> bytes{};
    std::bitset<page_size> known;
  };

  // Calls body(page number, offset inside the page, bytes, bytes before this piece).
  template <typename Body>
  static void for_each_piece(Address at, std::size_t size, Body&& body) {
    for (std::size_t done = 0; done < size;) {
      const std::uint64_t address = at.value + done;
      const std::size_t from = address & page_offset_mask;
      const std::size_t count = std::min<std::size_t>(size - done, page_size - from);
      body(address >> page_shift, from, count, done);
      done += count;
    }
  }

  std::unordered_map<std::uint64_t, Page> pages_;
  mutable ReadCounts counts_;
};

}  // namespace kvmscope
