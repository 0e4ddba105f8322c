// -f dot: a directed graph for Graphviz, from parents to children.

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
      : Renderer(job, out, messages), fields_(select_fields(job)) {}

  void record(Record record, std::optional<bool>) override {
    show_notes(record);
    begin();
    last_ = count_++;
    out_.write(fmt::format("  n{} [label=\"{}\"];\n", last_, dot_string(label(record))));
    if (!parents_.empty()) out_.write(fmt::format("  n{} -> n{};\n", parents_.back(), last_));
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

  std::string label(const Record& record) const {
    const RecordView view = view_of(record);
    if (job_.view != nullptr && job_.view->dot_label && job_.options.columns.empty())
      return job_.view->dot_label(view);
    std::string text;
    for (const std::size_t field : fields_)
      text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", job_.columns[field].name,
                          view.text(job_.columns[field].name));
    return text;
  }

  std::vector<std::size_t> fields_;
  bool begun_ = false;
  std::uint64_t count_ = 0;
  std::uint64_t last_ = 0;
  std::vector<std::uint64_t> parents_;
};

}  // namespace

RendererPtr make_dot(const RenderJob& job, Output& out, Messages& messages) {
  return std::make_unique<Dot>(job, out, messages);
}

}  // namespace kvmscope
