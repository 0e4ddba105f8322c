#include "core/kvm/root_history.hpp"

#include <algorithm>

namespace kvmscope::kvm {
namespace {

constexpr std::size_t most_parts = 512;
constexpr std::size_t most_cr3s = 100'000;

int merge(int a, int b) {
  if (a == RootHistory::nothing) return b;
  return b == RootHistory::nothing || a == b ? a : RootHistory::several;
}

// Every `group` parts become one.
std::vector<int> merged(const std::vector<int>& parts, std::size_t group) {
  std::vector<int> fewer((parts.size() + group - 1) / group, RootHistory::nothing);
  for (std::size_t i = 0; i < parts.size(); ++i)
    fewer[i / group] = merge(fewer[i / group], parts[i]);
  return fewer;
}

}  // namespace

RootHistory::RootHistory(Time period) : period_(period), part_(period) {}

void RootHistory::add(Time at, const RootSample& sample) {
  ++counts_.samples;
  if (cr3s_.size() < most_cr3s) cr3s_.insert(sample.cr3);
  if (sample.torn()) {
    ++counts_.torn;
    return draw(at, nothing);
  }
  int number = nothing;
  if (sample.current.valid()) {
    number = number_of(sample.current);
    note_change(at, sample);
  } else {
    ++counts_.rootless;
    // Whatever comes next, the stay that was cut off here did not end with a change.
    stay_began_.reset();
  }
  draw(at, number);
  before_[sample.mmu] = sample;
}

int RootHistory::number_of(const RootSlot& root) {
  const auto known = numbers_.find(root);
  if (known == numbers_.end() && roots_.size() == most_roots) return several;
  const int number = known != numbers_.end() ? known->second : static_cast<int>(roots_.size());
  if (known == numbers_.end()) {
    numbers_.emplace(root, number);
    roots_.push_back({root, 0});
  }
  ++roots_[static_cast<std::size_t>(number)].samples;
  return number;
}

void RootHistory::note_change(Time at, const RootSample& sample) {
  // Each mmu has prev_roots of its own.
  const auto before = before_.find(sample.mmu);
  if (before == before_.end() || before->second.current == sample.current) return;
  ++counts_.changes;
  const std::vector<RootSlot>& previous = before->second.previous;
  const bool known = std::find(previous.begin(), previous.end(), sample.current) != previous.end();
  ++(known ? counts_.known : counts_.fresh);
  if (stay_began_) {
    const auto periods = (at - *stay_began_ + period_ / 2) / period_;
    ++stays_[std::max<std::uint64_t>(1, static_cast<std::uint64_t>(periods))];
  }
  stay_began_ = at;
}

void RootHistory::draw(Time at, int number) {
  auto place = static_cast<std::size_t>(at / part_);
  while (place >= most_parts) {
    parts_ = merged(parts_, 2);
    part_ *= 2;
    place /= 2;
  }
  if (place >= parts_.size()) parts_.resize(place + 1, nothing);
  parts_[place] = merge(parts_[place], number);
}

std::optional<RootHistory::Stays> RootHistory::stays() const {
  Stays stays;
  for (const auto& [periods, count] : stays_) stays.count += count;
  if (stays.count == 0) return std::nullopt;
  stays.shortest = period_ * stays_.begin()->first;
  stays.longest = period_ * stays_.rbegin()->first;
  std::uint64_t below = 0;
  for (const auto& [periods, count] : stays_) {
    below += count;
    stays.median = period_ * periods;
    if (2 * below >= stays.count) break;
  }
  return stays;
}

std::vector<int> RootHistory::timeline(std::size_t width) const {
  if (parts_.empty() || width == 0) return {};
  return merged(parts_, (parts_.size() + width - 1) / width);
}

}  // namespace kvmscope::kvm
