// Which physical memory an ELF core describes, and where in the file it is.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/memory/dump.hpp"
#include "core/memory/missing.hpp"

namespace kvmscope {

// One PT_LOAD segment, as its header says.
struct Segment {
  PhysAddr start;
  std::uint64_t file_offset = 0;
  std::uint64_t file_bytes = 0;    // p_filesz
  std::uint64_t memory_bytes = 0;  // p_memsz
};

// A stretch of physical memory of one fate. Pieces never overlap.
struct Piece {
  std::uint64_t start = 0;
  std::uint64_t end = 0;  // exclusive
  std::uint64_t file_offset = 0;
  std::optional<Missing> missing;  // none: it is in the file
};

// Segments may overlap (kernel text lies in RAM that has its own segment): where one of them
// has the bytes, they are found.
class SegmentMap {
 public:
  SegmentMap(const std::vector<Segment>& segments, std::uint64_t file_size);

  // Sorted, disjoint; memory between pieces is nowhere.
  const std::vector<Piece>& pieces() const { return pieces_; }
  // The piece that holds `at`, nullptr when there is none.
  const Piece* find(PhysAddr at) const;
  // Pieces that touch, as one range each.
  std::vector<PhysRange> ranges() const;

 private:
  std::vector<Piece> pieces_;
};

}  // namespace kvmscope
