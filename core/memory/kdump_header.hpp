// The headers of a kdump-compressed file (makedumpfile's diskdump_mod.h), as far as libkdumpfile
// does not check or show them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bits.hpp"

namespace kvmscope {

struct KdumpHeader {
  // How pages were to be compressed: "zlib", "lzo", "snappy", "zstd", empty for none.
  std::string codec;
  std::uint64_t frames = 0;  // the highest frame number + 1
  // Normally two bitmaps of the same size: which frames are memory, which of them were dumped.
  // Without the first, every frame counts as memory. Both lie inside the file.
  Bytes memory_bitmap;
  Bytes dumped_bitmap;
  std::uint64_t descriptors_offset = 0;  // in the file; one for each dumped frame
  std::optional<std::string> vmcoreinfo;
};

// The bitmaps point into `file`. `path` is for messages only. Throws Error{unavailable}: cut
// inside its headers or bitmaps (which libkdumpfile takes for a dump without any page), damaged,
// one file of a split dump.
KdumpHeader read_kdump_header(Bytes file, const std::string& path);

}  // namespace kvmscope
