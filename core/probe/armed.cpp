#include "core/probe/armed.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <sstream>

#include "core/base/error.hpp"
#include "core/probe/definition.hpp"
#include "core/probe/removal.hpp"

namespace kvmscope::probe {
namespace {

// For a reader of our instance that we do not know of.
constexpr unsigned patience_ms = 1000;

// "overrun: 12" of per_cpu/cpuN/stats.
std::uint64_t stat(std::string_view stats, std::string_view key) {
  for (std::size_t at = stats.find(key); at != stats.npos; at = stats.find(key, at + 1)) {
    if (at != 0 && stats[at - 1] != '\n') continue;
    const std::size_t digits = stats.find_first_not_of(' ', at + key.size());
    std::uint64_t value = 0;
    if (digits != stats.npos)
      std::from_chars(stats.data() + digits, stats.data() + stats.size(), value);
    return value;
  }
  return 0;
}

std::optional<unsigned> cpu_number(const std::string& folder) {
  constexpr std::string_view prefix = "cpu";
  if (!folder.starts_with(prefix)) return std::nullopt;
  unsigned number = 0;
  const char* end = folder.data() + folder.size();
  const auto result = std::from_chars(folder.data() + prefix.size(), end, number);
  return result.ec == std::errc() && result.ptr == end ? std::optional(number) : std::nullopt;
}

std::string_view reason(int failed) {
  if (failed != EACCES && failed != EPERM) return std::strerror(failed);
  return "not allowed: run it as root; the kernel may be locked down (lockdown)";
}

}  // namespace

Armed::Armed(Tracefs& tracefs, std::string name, std::vector<Probe> probes,
             std::vector<std::string> tracepoints, std::string filter)
    : tracefs_(tracefs),
      name_(std::move(name)),
      probes_(std::move(probes)),
      tracepoints_(std::move(tracepoints)),
      filter_(std::move(filter)) {
  // The destructor does not run when the constructor throws.
  struct Undo {
    Armed* armed;
    ~Undo() {
      if (armed != nullptr) armed->remove();
    }
  } undo{this};
  made_ = true;
  make_instance();
  make_events();
  enable();
  undo.armed = nullptr;
}

Armed::~Armed() {
  remove();
}

std::string Armed::instance(std::string_view path) const {
  return fmt::format("instances/{}{}", name_, path);
}

void Armed::put(const std::string& path, std::string_view text) {
  const int failed = tracefs_.write(path, text);
  if (failed != 0)
    throw_error(ErrorKind::unavailable, "cannot write {} to {}/{}: {}", text, tracefs_.root(), path,
                reason(failed));
}

void Armed::make_instance() {
  const int failed = tracefs_.make_folder(instance(""));
  if (failed != 0)
    throw_error(ErrorKind::unavailable, "cannot make {}/{}: {}", tracefs_.root(), instance(""),
                reason(failed));
  put(instance("/tracing_on"), "0");
  // The same on every CPU, and that of clock_gettime(CLOCK_MONOTONIC).
  put(instance("/trace_clock"), "mono");
}

void Armed::make_events() {
  for (const Probe& probe : probes_) {
    const std::string line = definition(probe, name_);
    const int failed = tracefs_.append("kprobe_events", line + '\n');
    if (failed == 0) continue;
    std::string log;
    // Kernels before v5.2 have none.
    if (tracefs_.read("error_log", log) != 0) log.clear();
    throw Error(ErrorKind::unavailable, refusal(line, failed, log));
  }
}

void Armed::enable() {
  for (const Probe& probe : probes_)
    formats_.push_back(
        parse_event_format(tracefs_.text(fmt::format("events/{}/{}/format", name_, probe.event))));
  for (const std::string& tracepoint : tracepoints_)
    formats_.push_back(parse_event_format(tracefs_.text("events/" + tracepoint + "/format")));
  for (const Probe& probe : probes_) {
    const std::string event = instance(fmt::format("/events/{}/{}", name_, probe.event));
    if (!filter_.empty()) put(event + "/filter", filter_);
    put(event + "/enable", "1");
  }
  for (const std::string& tracepoint : tracepoints_)
    put(instance("/events/" + tracepoint + "/enable"), "1");
}

void Armed::start() {
  put(instance("/tracing_on"), "1");
}

void Armed::stop() {
  put(instance("/tracing_on"), "0");
}

EventStream Armed::open_stream() const {
  HitDecoder decoder;
  for (std::size_t i = 0; i < formats_.size(); ++i) {
    if (i < probes_.size())
      decoder.add_probe(formats_[i], probes_[i]);
    else
      decoder.add_tracepoint(formats_[i]);
  }
  std::vector<EventStream::Cpu> cpus;
  for (const std::string& folder : tracefs_.folders(instance("/per_cpu")))
    if (const std::optional<unsigned> number = cpu_number(folder))
      cpus.push_back(
          {*number, tracefs_.open_stream(instance("/per_cpu/" + folder + "/trace_pipe_raw"))});
  return {parse_page_layout(tracefs_.text("events/header_page")), std::move(decoder),
          std::move(cpus)};
}

Armed::Losses Armed::losses() const {
  Losses losses;
  for (const std::string& folder : tracefs_.folders(instance("/per_cpu"))) {
    const std::string stats = tracefs_.text(instance("/per_cpu/" + folder + "/stats"));
    for (const char* key : {"overrun:", "commit overrun:", "dropped events:"})
      losses.overwritten += stat(stats, key);
  }
  losses.missed = missed_hits();
  return losses;
}

// kprobe_profile has a line "  EVENT HITS MISSED" for each line of kprobe_events, in that order,
// without the group.
std::uint64_t Armed::missed_hits() const {
  std::istringstream events(tracefs_.text("kprobe_events"));
  std::istringstream profile(tracefs_.text("kprobe_profile"));
  std::uint64_t missed = 0;
  std::string event;
  std::string counts;
  while (std::getline(events, event) && std::getline(profile, counts)) {
    if (event.find(fmt::format(":{}/", name_)) == event.npos) continue;
    std::istringstream words(counts);
    std::string name;
    std::uint64_t hits = 0;
    std::uint64_t lost = 0;
    if (words >> name >> hits >> lost) missed += lost;
  }
  return missed;
}

std::vector<std::string> Armed::remove() {
  if (!made_) return {};
  made_ = false;
  return remove_run(tracefs_, name_, patience_ms);
}

std::vector<std::string> armed_lines(const std::string& name, const std::vector<Probe>& probes,
                                     const std::vector<std::string>& tracepoints) {
  std::vector<std::string> lines;
  for (const Probe& probe : probes) lines.push_back(definition(probe, name));
  for (const std::string& tracepoint : tracepoints) lines.push_back("tracepoint " + tracepoint);
  return lines;
}

}  // namespace kvmscope::probe
