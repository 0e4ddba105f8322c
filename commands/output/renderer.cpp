#include "commands/output/renderer.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/chrono.h>
#include <fmt/ranges.h>

#include "commands/output/make.hpp"

namespace kvmscope {
namespace {

// For commands that have no records: there is nothing to open or close, notes come through.
class NoRecords : public Renderer {
 public:
  using Renderer::Renderer;
  void record(Record, std::optional<bool>) override {}
};

bool is_nested(std::string_view format) {
  return format == "tree" || format == "dot";
}

}  // namespace

const std::vector<OutputFormat>& formats() {
  static const std::vector<OutputFormat> all = {
      {"table", "aligned columns, for people", make_table},
      {"tree", "nested with branches, for people", make_tree},
      {"json", "one JSON array", make_json},
      {"jsonl", "one JSON object a line", make_jsonl},
      {"csv", "comma-separated values with a header", make_csv},
      {"dot", "a graph for Graphviz", make_dot},
      {"report", "one JSON object with target, time, truth, notes and records", make_report},
      {"raw", "bytes of memory as they are, of commands that read some", make_raw},
  };
  return all;
}

const OutputFormat& find_format(std::string_view name) {
  for (const OutputFormat& format : formats())
    if (format.name == name) return format;
  std::vector<std::string_view> names;
  for (const OutputFormat& format : formats()) names.push_back(format.name);
  throw_error(ErrorKind::usage, "no format '{}'; there are: {}", name, fmt::join(names, ", "));
}

std::unique_ptr<Renderer> make_renderer(const RenderJob& job, Output& out, Messages& messages) {
  const OutputFormat& format = find_format(job.options.format);
  if (job.options.drgn) return make_objects(job, out, messages);
  if (job.columns.empty()) return std::make_unique<NoRecords>(job, out, messages);
  const bool sorted = !job.options.sort.empty();
  if (sorted && is_nested(format.name))
    throw_error(ErrorKind::usage, "--sort would tear a {} apart: use another format", format.name);
  std::unique_ptr<Renderer> renderer = format.make(job, out, messages);
  return sorted ? make_sorted(job, out, messages, std::move(renderer)) : std::move(renderer);
}

void Renderer::show_notes(const Record& record) {
  for (const std::string& note : record.notes) messages_.note(note);
}

std::string utc_time() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

}  // namespace kvmscope
