// What many samples of one vCPU's roots come to: changes, stays, and a timeline.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/kvm/root_sampler.hpp"

namespace kvmscope::kvm {

class RootHistory {
 public:
  using Time = std::chrono::nanoseconds;  // since sampling began

  struct Counts {
    std::uint64_t samples = 0;
    std::uint64_t lost = 0;      // could not be read
    std::uint64_t rootless = 0;  // of `samples`: there was no current root
    std::uint64_t torn = 0;      // of `samples`: in the middle of a switch; compared with nothing
    std::uint64_t changes = 0;   // another root than in the sample before
    std::uint64_t known = 0;     // of `changes`: that sample had the new root among its prev_roots
    std::uint64_t fresh = 0;     // of `changes`: it had not
  };
  // Between two changes that were seen, in whole periods.
  struct Stays {
    std::uint64_t count = 0;
    Time shortest{};
    Time median{};
    Time longest{};
  };
  struct Seen {
    RootSlot root;
    std::uint64_t samples = 0;
  };

  // A part of the timeline: a place in roots(), or one of these.
  static constexpr int nothing = -1;  // no sample, or no root
  static constexpr int several = -2;
  static constexpr std::size_t most_roots = 1000;  // that are told apart

  explicit RootHistory(Time period);

  // In order of time.
  void add(Time at, const RootSample& sample);
  void add_lost() { ++counts_.lost; }

  const Counts& counts() const { return counts_; }
  // In the order in which they were first seen, at most `most_roots`.
  const std::vector<Seen>& roots() const { return roots_; }
  std::size_t cr3s() const { return cr3s_.size(); }
  std::optional<Stays> stays() const;  // none: no stay was seen from its start to its end
  // At most `width` parts of equal length.
  std::vector<int> timeline(std::size_t width) const;

 private:
  int number_of(const RootSlot& root);
  void note_change(Time at, const RootSample& sample);
  void draw(Time at, int number);

  Time period_;
  Counts counts_;
  std::map<RootSlot, int> numbers_;
  std::vector<Seen> roots_;
  std::set<std::uint64_t> cr3s_;
  std::map<MmuKind, RootSample> before_;
  std::optional<Time> stay_began_;
  std::map<std::uint64_t, std::uint64_t> stays_;  // by periods
  Time part_;                                     // of the timeline
  std::vector<int> parts_;
};

}  // namespace kvmscope::kvm
