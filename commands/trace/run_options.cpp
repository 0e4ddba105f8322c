#include "commands/trace/run_options.hpp"

#include "commands/trace/runner.hpp"
#include "core/base/error.hpp"

namespace kvmscope::tracing {

std::vector<Option> with_run_options(std::vector<Option> own) {
  using K = ArgumentKind;
  const std::vector<Option> shared = {
      {"--for", "S", K::number, "end after so many seconds"},
      {"--count", "N", K::number, "end after so many events"},
      {"--summary", "", K::text, "only what they come to, at the end"},
      {"--max-rate", "N", K::number,
       "disarm when more events than this come in a second; 200000 when left out"},
      {"--dry-run", "", K::text, "only show what would be added to tracefs"},
      {"--yes", "", K::text, "do not ask before it is added"},
  };
  own.insert(own.end(), shared.begin(), shared.end());
  return own;
}

Mode dry_run_mode() {
  return {.option = "--dry-run",
          .columns = {{"definition", ColumnKind::text,
                       "what would be added: a line of kprobe_events, or a tracepoint"}},
          .view = {.block = [](const RecordView& record) { return record.text("definition"); }}};
}

RunOptions run_options(const Arguments& args) {
  RunOptions options;
  // More than a century would not fit into the clock's nanoseconds.
  constexpr std::uint64_t longest = 100ULL * 365 * 24 * 3600;
  if (const auto seconds = args.number("--for")) {
    if (*seconds == 0 || *seconds > longest)
      throw_error(ErrorKind::usage, "--for {}: give a number of seconds, 1 or more", *seconds);
    options.duration = std::chrono::seconds(*seconds);
  }
  options.count = args.number("--count");
  if (options.count == 0U) throw Error(ErrorKind::usage, "--count 0: give a number, 1 or more");
  options.max_rate = args.number("--max-rate").value_or(options.max_rate);
  if (options.max_rate == 0)
    throw Error(ErrorKind::usage, "--max-rate 0: give a number of events per second, 1 or more");
  options.dry_run = args.has("--dry-run");
  options.yes = args.has("--yes");
  return options;
}

}  // namespace kvmscope::tracing
