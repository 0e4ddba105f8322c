// The name of one run of ours in tracefs: its instance and its group of events carry it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kvmscope::probe {

// kvmscope_PID_STARTTIME: a pid alone may be somebody else's by now.
struct RunName {
  std::int64_t pid = 0;
  std::uint64_t start_time = 0;  // clock ticks since boot, field 22 of /proc/PID/stat

  std::string text() const;
  bool operator==(const RunName&) const = default;
};

// Of this process. Throws Error{unavailable} where /proc is not mounted.
RunName own_run_name();

// none: no name of ours.
std::optional<RunName> parse_run_name(std::string_view text);

// Whether the process that made the name still runs.
bool is_running(const RunName& name);

// Field 22 of the text of /proc/PID/stat; none when it is no such text.
std::optional<std::uint64_t> start_time_of(std::string_view stat);

// Whether process numbers here are those of the whole machine. In a container they are not, and
// what others left cannot be told from what they use.
bool sees_all_processes();

}  // namespace kvmscope::probe
