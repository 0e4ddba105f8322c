// Which pages a kdump-compressed file has, by its bitmaps and page descriptors.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/memory/dump.hpp"
#include "core/memory/kdump_header.hpp"
#include "core/memory/missing.hpp"

namespace kvmscope {

// libkdumpfile 0.5.1 reads zeros behind the end of the file, without an error: this says which
// pages it may be asked for.
class KdumpPages {
 public:
  // `file` must outlive this.
  KdumpPages(Bytes file, const KdumpHeader& header);

  // None: the file holds the page. Throws Error{fault} when its descriptor makes no sense.
  std::optional<Missing> missing(Pfn frame) const;
  // The memory that the machine had.
  std::vector<PhysRange> memory_ranges() const;
  // How long the file must be for all its pages, as far as a look at the last ones tells.
  std::uint64_t expected_file_size() const;

 private:
  // How many frames below this one were dumped: the number of its descriptor.
  std::uint64_t dumped_before(std::uint64_t frame) const;

  Bytes file_;
  std::uint64_t frames_;
  Bytes memory_bitmap_;
  Bytes dumped_bitmap_;
  std::uint64_t descriptors_offset_;
  std::vector<std::uint64_t> dumped_before_block_;  // for each block of 512 frames, and the total
};

}  // namespace kvmscope
