// What is true of many guest frames in a row, kept as ranges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace kvmscope::kvm {

// Frames with a number each, in order, neighbours with the same number merged.
class FrameRuns {
 public:
  void add(std::uint64_t first, std::uint64_t count, std::uint64_t value) {
    if (!runs_.empty() && runs_.back().end == first && runs_.back().value == value)
      runs_.back().end += count;
    else if (runs_.empty() || runs_.back().end <= first)
      runs_.push_back({first, first + count, value});
    else {
      sorted_ = false;
      runs_.push_back({first, first + count, value});
    }
  }
  void sort() {
    if (sorted_) return;
    std::stable_sort(runs_.begin(), runs_.end(),
                     [](const Run& a, const Run& b) { return a.first < b.first; });
    sorted_ = true;
  }
  // The number at `frame` (0: none) and where the next one starts. `frame` never goes back.
  struct Piece {
    std::uint64_t value = 0;
    std::uint64_t end = ~0ULL;
  };
  Piece at(std::uint64_t frame) {
    while (next_ < runs_.size() && runs_[next_].end <= frame) ++next_;
    if (next_ == runs_.size()) return {};
    const Run& run = runs_[next_];
    return run.first <= frame ? Piece{run.value, run.end} : Piece{0, run.first};
  }

 private:
  struct Run {
    std::uint64_t first;
    std::uint64_t end;
    std::uint64_t value;
  };
  std::vector<Run> runs_;
  std::size_t next_ = 0;
  bool sorted_ = true;
};

}  // namespace kvmscope::kvm
