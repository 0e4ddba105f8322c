// Bytes of a dump's file, read with system calls.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "core/base/address.hpp"
#include "core/base/bits.hpp"
#include "core/base/file.hpp"

namespace kvmscope {

// A mapping would cost more: its faults bring in sixteen pages where a walk over structs wants one
// or two, and a file that somebody shortens ends the program. Structs lie close to the last ones
// (the kernel takes them from slabs), so a few pages are kept, few enough to stay near the
// processor.
class FileBlocks {
 public:
  // Borrows the descriptor.
  explicit FileBlocks(int fd) : fd_(fd), blocks_(std::make_unique_for_overwrite<Blocks>()) {}

  // The bytes from `offset` on. Blocks start at offsets that leave `phase` when they are divided by
  // the size of a page: where the file's pages of memory do. Throws Error{interrupted}.
  ReadAt read(std::uint64_t offset, std::uint64_t phase, MutableBytes into) {
    ReadAt done;
    while (done.count < into.size()) {
      const std::uint64_t at = offset + done.count;
      const MutableBytes rest = into.subspan(done.count);
      const Bytes found = into.size() < large ? kept(at, phase) : Bytes();
      if (found.empty()) return rest_of(done, at, rest);
      const std::size_t count = std::min(rest.size(), found.size());
      std::memcpy(rest.data(), found.data(), count);
      done.count += count;
    }
    return done;
  }

 private:
  struct Block {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;  // 0: empty
    std::array<std::byte, page_size> bytes;
  };
  static constexpr std::size_t block_count = 16;
  static constexpr std::size_t large = page_size / 2;  // read to where it is wanted
  using Blocks = std::array<Block, block_count>;

  // From there to the end of its block; empty: it cannot be read.
  Bytes kept(std::uint64_t at, std::uint64_t phase) {
    const std::uint64_t behind = (at - phase) % page_size;
    const std::uint64_t start = at - std::min(behind, at);
    Block& block = (*blocks_)[start / page_size % block_count];
    if (block.size == 0 || block.offset != start) {
      block.size = 0;
      block.size = read_at(fd_, start, block.bytes).count;
      block.offset = start;
    }
    const std::uint64_t skipped = at - start;
    return Bytes(block.bytes).first(block.size).subspan(std::min(skipped, block.size));
  }

  // Without a block: as far as it goes, and why no further.
  ReadAt rest_of(const ReadAt& done, std::uint64_t at, MutableBytes rest) const {
    const ReadAt more = read_at(fd_, at, rest);
    return {done.count + more.count, more.error, more.calls};
  }

  int fd_;
  std::unique_ptr<Blocks> blocks_;
};

}  // namespace kvmscope
