#include "core/memory/segment_map.hpp"

#include <algorithm>
#include <queue>

namespace kvmscope {
namespace {

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  return a + b < a ? ~0ULL : a + b;
}

// What is in the file wins over what was cut off, and that over what was left out.
int rank(const Piece& piece) {
  if (!piece.missing) return 0;
  return *piece.missing == Missing::truncated ? 1 : 2;
}

// A segment falls into at most three: in the file, cut off with the file, never written.
void split(const Segment& segment, std::uint64_t file_size, std::vector<Piece>& out) {
  const std::uint64_t start = segment.start.value;
  const std::uint64_t in_file = segment.file_offset < file_size
                                    ? std::min(segment.file_bytes, file_size - segment.file_offset)
                                    : 0;
  const std::uint64_t data_end = saturating_add(start, in_file);
  const std::uint64_t file_end = saturating_add(start, segment.file_bytes);
  const std::uint64_t end = std::max(file_end, saturating_add(start, segment.memory_bytes));
  if (start < data_end) out.push_back({start, data_end, segment.file_offset, std::nullopt});
  if (data_end < file_end) out.push_back({data_end, file_end, 0, Missing::truncated});
  if (file_end < end) out.push_back({file_end, end, 0, Missing::left_out});
}

// Appends [from, to) of `source`, as part of the last piece where that goes on.
void append(std::vector<Piece>& pieces, const Piece& source, std::uint64_t from, std::uint64_t to) {
  const std::uint64_t file_offset = source.missing ? 0 : source.file_offset + (from - source.start);
  if (!pieces.empty()) {
    Piece& last = pieces.back();
    const bool same_bytes =
        source.missing || last.file_offset + (last.end - last.start) == file_offset;
    if (last.end == from && last.missing == source.missing && same_bytes) {
      last.end = to;
      return;
    }
  }
  pieces.push_back({from, to, file_offset, source.missing});
}

struct Worse {
  bool operator()(const Piece& a, const Piece& b) const { return rank(a) > rank(b); }
};

// One sweep from low to high addresses, with the pieces that cover the current one in a heap:
// n log n, also for headers made to be slow.
std::vector<Piece> without_overlap(std::vector<Piece> raw) {
  std::sort(raw.begin(), raw.end(),
            [](const Piece& a, const Piece& b) { return a.start < b.start; });
  std::vector<Piece> result;
  std::priority_queue<Piece, std::vector<Piece>, Worse> active;
  std::uint64_t at = 0;
  for (auto next = raw.begin(); next != raw.end() || !active.empty();) {
    while (!active.empty() && active.top().end <= at) active.pop();
    if (active.empty()) {
      if (next == raw.end()) break;
      at = std::max(at, next->start);
    }
    while (next != raw.end() && next->start <= at) active.push(*next++);
    while (!active.empty() && active.top().end <= at) active.pop();
    if (active.empty()) continue;
    std::uint64_t until = active.top().end;
    if (next != raw.end()) until = std::min(until, next->start);
    append(result, active.top(), at, until);
    at = until;
  }
  return result;
}

}  // namespace

SegmentMap::SegmentMap(const std::vector<Segment>& segments, std::uint64_t file_size) {
  std::vector<Piece> raw;
  for (const Segment& segment : segments) split(segment, file_size, raw);
  pieces_ = without_overlap(std::move(raw));
}

const Piece* SegmentMap::find(PhysAddr at) const {
  const auto after = std::upper_bound(
      pieces_.begin(), pieces_.end(), at.value,
      [](std::uint64_t address, const Piece& piece) { return address < piece.start; });
  if (after == pieces_.begin()) return nullptr;
  const Piece& piece = *std::prev(after);
  return at.value < piece.end ? &piece : nullptr;
}

std::vector<PhysRange> SegmentMap::ranges() const {
  std::vector<PhysRange> ranges;
  for (const Piece& piece : pieces_) {
    if (!ranges.empty() && ranges.back().end.value == piece.start)
      ranges.back().end = {piece.end};
    else
      ranges.push_back({{piece.start}, {piece.end}});
  }
  return ranges;
}

}  // namespace kvmscope
