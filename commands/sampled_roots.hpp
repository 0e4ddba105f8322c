// How sampled roots are told: as records, and as text with a timeline.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "commands/command.hpp"
#include "core/kvm/root_history.hpp"
#include "core/kvm/vcpu_places.hpp"

namespace kvmscope {

// One vCPU that is sampled.
struct Sampled {
  kvm::VcpuPlace place;
  kvm::RootHistory history;
  std::optional<std::uint64_t> vcpu_id = {};  // none: no sample could be read
  std::string ended = {};                     // why it was not sampled to the end
};

// Without its truth. `left_out`: samples that came too late; `width`: characters of the timeline.
Record sampled_record(const Sampled& sampled, std::chrono::nanoseconds period,
                      std::uint64_t left_out, std::size_t width);
// For a record's notes: which of its samples are not what was there at one moment; empty: none is
// known to be so.
std::string what_is_torn(const Sampled& sampled);
// The columns and the text of those records, with --hz.
Mode sampling_mode();

// The letter of a part of RootHistory::timeline().
std::string root_mark(int number);

// "1.5 s", "10 ms", "250 µs"
std::string time_text(std::uint64_t microseconds);

}  // namespace kvmscope
