// -f dot: a directed graph for Graphviz, from parents to children.

#include <unordered_map>

#include <fmt/format.h>

#include "commands/output/escape.hpp"
#include "commands/output/make.hpp"
#include "commands/output/selection.hpp"

namespace kvmscope {
namespace {

// Inside the quotes of a DOT string. Lines are left-aligned with \l.
std::string dot_string(std::string_view label) {
  std::string text;
  for (const char c : escape_text(label, "\n")) {
    if (c == '\n') {
      text += "\\l";
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  if (label.find('\n') != std::string_view::npos && !label.ends_with('\n')) text += "\\l";
  return text;
}

class Dot : public Renderer {
 public:
  Dot(const RenderJob& job, Output& out, Messages& messages)
      : Renderer(job, out, messages), form_(form_of(job)), fields_(select_fields(job)) {}

  void record(Record record, std::optional<bool>) override {
    show_notes(record);
    begin();
    last_ = node(view_of(record));
    if (!parents_.empty()) add_edge(view_of(record));
  }

  void enter() override { parents_.push_back(last_); }

  void leave() override {
    last_ = parents_.back();
    parents_.pop_back();
  }

  void finish() override {
    begin();
    out_.write("}\n");
  }

 private:
  void begin() {
    if (begun_) return;
    begun_ = true;
    out_.write("digraph kvmscope {\n  node [shape=box, fontname=\"monospace\"];\n");
  }

  // The number of the node that stands for a record.
  std::uint64_t node(const RecordView& record) {
    const std::string key = form_.node ? form_.node(record) : "";
    if (!key.empty()) {
      const auto [known, is_new] = nodes_.try_emplace(key, count_);
      if (!is_new) return known->second;
    }
    out_.write(fmt::format("  n{} [label=\"{}\"];\n", count_, dot_string(label(record))));
    return count_++;
  }

  void add_edge(const RecordView& record) {
    const std::string text =
        form_.edge ? fmt::format(" [label=\"{}\"]", dot_string(form_.edge(record))) : "";
    const std::uint64_t outer = parents_.back();
    out_.write(fmt::format("  n{} -> n{}{};\n", form_.upwards ? last_ : outer,
                           form_.upwards ? outer : last_, text));
  }

  std::string label(const RecordView& record) const {
    if (form_.label) return form_.label(record);
    std::string text;
    for (const std::size_t field : fields_)
      text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", job_.columns[field].name,
                          record.text(job_.columns[field].name));
    return text;
  }

  // With columns of the user's choice a record is a node.
  static DotView form_of(const RenderJob& job) {
    const bool chosen = job.view == nullptr || !job.options.columns.empty();
    return chosen ? DotView{} : job.view->dot;
  }

  const DotView form_;
  std::vector<std::size_t> fields_;
  bool begun_ = false;
  std::uint64_t count_ = 0;
  std::uint64_t last_ = 0;
  std::vector<std::uint64_t> parents_;
  std::unordered_map<std::string, std::uint64_t> nodes_;  // by what they stand for
};

}  // namespace

RendererPtr make_dot(const RenderJob& job, Output& out, Messages& messages) {
  return std::make_unique<Dot>(job, out, messages);
}

}  // namespace kvmscope
