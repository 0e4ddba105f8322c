#include "commands/trace/result.hpp"

#include <array>

#include "commands/output/renderer.hpp"
#include "core/base/error.hpp"

namespace kvmscope::tracing {
namespace {

constexpr std::uint64_t ns_per_ms = 1'000'000;
constexpr std::uint64_t ns_per_second = 1000 * ns_per_ms;

struct Reason {
  std::string_view name;
  std::string_view text;
};
constexpr std::array<Reason, 5> reasons = {{
    {"for", "--for is over"},
    {"count", "--count is reached"},
    {"interrupted", "Ctrl-C"},
    {"terminated", "a signal told us to end"},
    {"max-rate", "more events in a second than --max-rate allows"},
}};

std::string_view text_of(std::string_view reason) {
  for (const Reason& known : reasons)
    if (known.name == reason) return known.text;
  return reason;
}

Ending ending_of(const Result& result) {
  using K = ColumnKind;
  const double seconds = static_cast<double>(result.ns) / static_cast<double>(ns_per_second);
  return {.columns = {{"reason", K::text, ""},
                      {"ms", K::count, ""},
                      {"events", K::count, ""},
                      {"lost", K::count, ""},
                      {"missed", K::count, ""}},
          .record = {{std::string(result.reason), result.ns / ns_per_ms, result.counts.events,
                      result.lost(), result.losses.missed}},
          .text = fmt::format("{} events in {:.1f} s, {} lost; {}", result.counts.events, seconds,
                              result.lost() + result.losses.missed, text_of(result.reason))};
}

}  // namespace

void say(RowSink& rows, const Result& result) {
  if (!result.counts.damage.empty()) rows.note(result.counts.damage);
  if (result.losses.missed != 0)
    rows.note(fmt::format("{} hits were missed: the kernel was handling another probe",
                          result.losses.missed));
  for (const std::string& left : result.left)
    rows.note("could not be removed from tracefs, the next trace tries again: " + left);
  const bool incomplete = result.lost() + result.losses.missed != 0 || !result.left.empty() ||
                          result.reason == "max-rate";
  if (incomplete) rows.set_status(exit_status(ErrorKind::fault));
  rows.end(ending_of(result));
}

}  // namespace kvmscope::tracing
