// -f csv: RFC 4180 with the line ends of Unix; lists are JSON text.

#include <utility>

#include "commands/output/escape.hpp"
#include "commands/output/json_text.hpp"
#include "commands/output/make.hpp"
#include "commands/output/selection.hpp"

namespace kvmscope {
namespace {

void append_cell(std::string& line, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    line += text;
    return;
  }
  line += '"';
  for (const char c : text) {
    if (c == '"') line += '"';
    line += c;
  }
  line += '"';
}

class Csv : public Renderer {
 public:
  Csv(const RenderJob& job, Output& out, Messages& messages)
      : Renderer(job, out, messages), fields_(select_fields(job)) {
    if (!job.options.header) return;
    std::string line;
    for (const std::size_t field : fields_) {
      if (!line.empty()) line += ',';
      append_cell(line, job.columns[field].name);
    }
    header_ = line + '\n';
  }

  void record(Record record, std::optional<bool>) override {
    show_notes(record);
    std::string line = std::exchange(header_, "");
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      if (i != 0) line += ',';
      append_cell(line, text_of(record.values[fields_[i]], job_.columns[fields_[i]]));
    }
    line += '\n';
    out_.write(line);
  }

  // An empty result still says what its columns are.
  void finish() override { out_.write(std::exchange(header_, "")); }

 private:
  std::string text_of(const Value& value, const Column& column) const {
    if (std::holds_alternative<std::monostate>(value)) return "";
    if (const auto* text = std::get_if<std::string>(&value)) return escape_text(*text, "\n\t");
    if (const auto* lost = std::get_if<Lost>(&value)) return escape_text(value_text(*lost));
    if (std::holds_alternative<Hex>(value) && !job_.options.raw_numbers) return value_text(value);
    std::string text;
    append_json(text, value, column.nested, job_.options.raw_numbers);
    return text;
  }

  std::vector<std::size_t> fields_;
  std::string header_;  // not written yet
};

}  // namespace

RendererPtr make_csv(const RenderJob& job, Output& out, Messages& messages) {
  return std::make_unique<Csv>(job, out, messages);
}

}  // namespace kvmscope
