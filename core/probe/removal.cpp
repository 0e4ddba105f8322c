#include "core/probe/removal.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <set>
#include <sstream>
#include <thread>

#include <fmt/format.h>

namespace kvmscope::probe {
namespace {

constexpr std::chrono::milliseconds between_attempts{10};

// "GROUP/EVENT" of each line of kprobe_events: "p:GROUP/EVENT PLACE…", "r10:GROUP/EVENT PLACE…".
std::vector<std::string> listed_events(const std::string& kprobe_events) {
  std::vector<std::string> names;
  std::istringstream lines(kprobe_events);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos) continue;
    names.push_back(line.substr(colon + 1, line.find(' ') - colon - 1));
  }
  return names;
}

// Repeats `act` while it returns EBUSY, up to `patience_ms`.
template <typename Act>
int when_free(unsigned patience_ms, Act&& act) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  for (;;) {
    const int failed = act();
    if (failed != EBUSY || std::chrono::steady_clock::now() >= deadline) return failed;
    std::this_thread::sleep_for(between_attempts);
  }
}

std::string problem(const Tracefs& tracefs, std::string_view path, int failed) {
  return fmt::format("{}/{}: {}", tracefs.root(), path, std::strerror(failed));
}

void remove_instance(Tracefs& tracefs, const std::string& instance, unsigned patience_ms,
                     std::vector<std::string>& problems) {
  if (!tracefs.exists(instance)) return;
  // Nothing of it fires any more, whoever still reads it.
  for (const char* file : {"/tracing_on", "/events/enable"})
    if (tracefs.exists(instance + file)) {
      const int failed = tracefs.write(instance + file, "0");
      if (failed != 0) problems.push_back(problem(tracefs, instance + file, failed));
    }
  const int failed = when_free(patience_ms, [&] { return tracefs.remove_folder(instance); });
  if (failed != 0 && failed != ENOENT) problems.push_back(problem(tracefs, instance, failed));
}

void remove_events(Tracefs& tracefs, const std::string& group, unsigned patience_ms,
                   std::vector<std::string>& problems) {
  std::string text;
  const int unread = tracefs.read("kprobe_events", text);
  if (unread != 0) problems.push_back(problem(tracefs, "kprobe_events", unread));
  // An event that is still enabled somewhere cannot go: in our instance while that stays.
  for (const std::string& event : listed_events(text)) {
    if (!event.starts_with(group + '/')) continue;
    const int failed = when_free(
        patience_ms, [&] { return tracefs.append("kprobe_events", "-:" + event + '\n'); });
    if (failed != 0 && failed != ENOENT)
      problems.push_back(problem(tracefs, "kprobe_events: -:" + event, failed));
  }
}

}  // namespace

std::vector<std::string> remove_run(Tracefs& tracefs, const std::string& name,
                                    unsigned patience_ms) {
  std::vector<std::string> problems;
  remove_instance(tracefs, "instances/" + name, patience_ms, problems);
  remove_events(tracefs, name, patience_ms, problems);
  return problems;
}

std::vector<std::string> left_behind(const Tracefs& tracefs,
                                     const std::function<bool(const RunName&)>& runs) {
  std::set<std::string> names;
  for (const std::string& instance : tracefs.folders("instances")) names.insert(instance);
  for (const std::string& event : listed_events(tracefs.text("kprobe_events")))
    names.insert(event.substr(0, event.find('/')));
  std::vector<std::string> left;
  for (const std::string& name : names) {
    const std::optional<RunName> run = parse_run_name(name);
    if (run && !runs(*run)) left.push_back(name);
  }
  return left;
}

}  // namespace kvmscope::probe
