#include "commands/shell/phases.hpp"

#include <fmt/format.h>

#include <utility>

namespace kvmscope {
namespace {

constexpr std::array<std::string_view, 6> phase_names = {"other", "open", "symbols",
                                                         "types", "walk", "print"};

std::string row(std::string_view name, double milliseconds, const ReadCounts& read) {
  return fmt::format("{:<8} {:>10.3f} {:>9} {:>13}", name, milliseconds, read.reads, read.bytes);
}

}  // namespace

void PhaseClock::start() {
  if (std::exchange(count_into_next_, false)) return;
  sums_ = {};
  phase_ = Phase::other;
  since_ = Clock::now();
  read_ = counts_ ? counts_() : ReadCounts{};
}

void PhaseClock::count_reads(std::function<ReadCounts()> counts) {
  counts_ = std::move(counts);
}

Phase PhaseClock::enter(Phase phase) {
  const Clock::time_point now = Clock::now();
  const ReadCounts read = counts_ ? counts_() : ReadCounts{};
  Sum& sum = sums_[static_cast<std::size_t>(phase_)];
  sum.time += now - since_;
  sum.read.reads += read.reads - read_.reads;
  sum.read.bytes += read.bytes - read_.bytes;
  since_ = now;
  read_ = read;
  return std::exchange(phase_, phase);
}

std::chrono::nanoseconds PhaseClock::walked() const {
  const Clock::duration before = sums_[static_cast<std::size_t>(Phase::walk)].time;
  return phase_ == Phase::walk ? before + (Clock::now() - since_) : before;
}

std::vector<std::string> PhaseClock::report() {
  enter(phase_);
  std::vector<std::string> lines = {"PHASE            MS     READS         BYTES"};
  Sum total;
  const auto milliseconds = [](Clock::duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
  };
  for (const Phase phase :
       {Phase::open, Phase::symbols, Phase::types, Phase::walk, Phase::print, Phase::other}) {
    const Sum& sum = sums_[static_cast<std::size_t>(phase)];
    lines.push_back(
        row(phase_names[static_cast<std::size_t>(phase)], milliseconds(sum.time), sum.read));
    total.time += sum.time;
    total.read.reads += sum.read.reads;
    total.read.bytes += sum.read.bytes;
  }
  lines.push_back(row("total", milliseconds(total.time), total.read));
  return lines;
}

}  // namespace kvmscope
