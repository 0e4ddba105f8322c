#include "core/probe/run_name.hpp"

#include <unistd.h>

#include <charconv>
#include <fstream>
#include <iterator>

#include "core/base/error.hpp"

namespace kvmscope::probe {
namespace {

constexpr std::string_view prefix = "kvmscope_";
// PROC_PID_INIT_INO, include/linux/proc_ns.h: the number of the first pid namespace.
constexpr std::string_view first_namespace = "pid:[4026531836]";

template <typename Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string stat_of(std::int64_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string RunName::text() const {
  return fmt::format("{}{}_{}", prefix, pid, start_time);
}

std::optional<RunName> parse_run_name(std::string_view text) {
  if (!text.starts_with(prefix)) return std::nullopt;
  const std::string_view numbers = text.substr(prefix.size());
  const std::size_t split = numbers.find('_');
  if (split == numbers.npos) return std::nullopt;
  const auto pid = whole_number<std::int64_t>(numbers.substr(0, split));
  const auto start = whole_number<std::uint64_t>(numbers.substr(split + 1));
  if (!pid || !start) return std::nullopt;
  const RunName name{*pid, *start};
  // Only as we write them: no leading zero, no sign.
  return name.text() == text ? std::optional(name) : std::nullopt;
}

std::optional<std::uint64_t> start_time_of(std::string_view stat) {
  // The command's name, in parentheses, may hold blanks and parentheses.
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == stat.npos) return std::nullopt;
  std::string_view fields = stat.substr(name_end + 2);
  constexpr int first = 3;
  constexpr int wanted = 22;
  for (int field = first; field < wanted; ++field) {
    const std::size_t blank = fields.find(' ');
    if (blank == fields.npos) return std::nullopt;
    fields.remove_prefix(blank + 1);
  }
  return whole_number<std::uint64_t>(fields.substr(0, fields.find(' ')));
}

RunName own_run_name() {
  const std::int64_t pid = getpid();
  const std::optional<std::uint64_t> start = start_time_of(stat_of(pid));
  if (!start)
    throw_error(ErrorKind::unavailable, "cannot read /proc/{}/stat: is /proc mounted?", pid);
  return {pid, *start};
}

bool is_running(const RunName& name) {
  return start_time_of(stat_of(name.pid)) == name.start_time;
}

bool sees_all_processes() {
  char link[64];
  const ssize_t size = readlink("/proc/self/ns/pid", link, sizeof link);
  return size > 0 && std::string_view(link, static_cast<std::size_t>(size)) == first_namespace;
}

}  // namespace kvmscope::probe
