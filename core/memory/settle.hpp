// Does a piece of reading again until nothing that it depends on has changed meanwhile.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "core/base/error.hpp"
#include "core/memory/steady.hpp"

namespace kvmscope {

// How often something that changed while it was read is read in all.
inline constexpr unsigned most_attempts = 3;

// Damage may be half of a change whose CPU was taken away by an interrupt or, in a virtual machine,
// by the host: nothing moves until it is back. So the last look comes this much later.
inline void give_time_to_finish(unsigned attempt) {
  if (attempt + 1 == most_attempts) std::this_thread::sleep_for(std::chrono::milliseconds(30));
}

// Runs `body`, which must start from nothing each time. Returns what changed while the last
// attempt ran; empty: nothing, so its result was true at one moment. A fault or corrupt data that
// each attempt meets in the same way with nothing changed is thrown on; any other that the last
// one meets becomes Error{torn}.
template <typename Body>
std::string settle(const SteadyMemory* memory, Body&& body) {
  if (memory == nullptr) {
    body();
    return "";
  }
  std::optional<Error> lost;
  std::string change;
  bool same = true;  // each attempt met the same error with nothing changed
  for (unsigned attempt = 0; attempt < most_attempts; ++attempt) {
    const std::optional<Error> before = lost;
    if (before && same) give_time_to_finish(attempt);
    {
      Recording recording(memory);
      lost = lost_in(body);
      change = recording.change();
    }
    if (!lost && change.empty()) return "";
    same = same && lost && change.empty() &&
           (!before || std::string_view(before->what()) == lost->what());
  }
  if (!lost) return change;
  if (same) throw Error(*lost);
  throw_error(ErrorKind::torn, "it changed while it was read: {}",
              change.empty() ? lost->what() : change);
}

}  // namespace kvmscope
