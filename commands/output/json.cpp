// -f json, jsonl and report: records as JSON objects with the same keys in each.

#include <fmt/format.h>

#include "commands/output/escape.hpp"
#include "commands/output/json_text.hpp"
#include "commands/output/make.hpp"
#include "commands/output/selection.hpp"

namespace kvmscope {
namespace {

// Writes each record as one object on a line.
class Objects {
 public:
  explicit Objects(const RenderJob& job)
      : fields_(select_fields(job)), raw_numbers_(job.options.raw_numbers) {
    for (const std::size_t field : fields_) columns_.push_back(job.columns[field]);
  }

  void append(std::string& out, Record record) const {
    Record chosen{.values = {}, .notes = std::move(record.notes)};
    chosen.values.reserve(fields_.size());
    for (const std::size_t field : fields_)
      chosen.values.push_back(std::move(record.values[field]));
    append_json(out, chosen, columns_, raw_numbers_);
  }

 private:
  std::vector<std::size_t> fields_;
  std::vector<Column> columns_;
  bool raw_numbers_;
};

class Lines : public Renderer {
 public:
  Lines(const RenderJob& job, Output& out, Messages& messages)
      : Renderer(job, out, messages), objects_(job) {}

  void record(Record record, std::optional<bool>) override {
    std::string line;
    objects_.append(line, std::move(record));
    line += '\n';
    out_.write(line);
  }

  void end(const Ending& ending) override {
    Record record;
    record.values.emplace_back(true);
    for (const Value& value : ending.record.values) record.values.push_back(value);
    record.notes = ending.record.notes;
    std::vector<Column> columns = ending.columns;
    columns.insert(columns.begin(), {"end", ColumnKind::flag, ""});
    std::string line;
    append_json(line, record, columns, job_.options.raw_numbers);
    out_.write(line + '\n');
  }

 private:
  Objects objects_;
};

class Array : public Renderer {
 public:
  Array(const RenderJob& job, Output& out, Messages& messages)
      : Renderer(job, out, messages), objects_(job) {}

  void record(Record record, std::optional<bool>) override {
    std::string text = any_ ? ",\n" : "[\n";
    any_ = true;
    objects_.append(text, std::move(record));
    out_.write(text);
  }

  void finish() override { out_.write(any_ ? "\n]\n" : "[]\n"); }

 private:
  Objects objects_;
  bool any_ = false;
};

// One object: what was looked at, when, and the records. Notes stand behind the records, since
// records are written as they come.
class Report : public Renderer {
 public:
  Report(const RenderJob& job, Output& out, Messages& messages)
      : Renderer(job, out, messages), objects_(job) {}

  void record(Record record, std::optional<bool>) override {
    std::string text = any_ ? ",\n" : begin() + "\n";
    any_ = true;
    objects_.append(text, std::move(record));
    out_.write(text);
  }

  void note(const std::string& text) override { notes_.push_back(text); }
  void failure(const std::string& text) override { notes_.push_back(text); }
  void truth(const std::string& text) override { truth_ = text; }

  void finish() override {
    std::string text = any_ ? "\n" : begin();
    text += "], \"notes\": ";
    append_json(text, notes_);
    if (!truth_.empty()) {
      text += ", \"truth\": ";
      append_json_string(text, truth_);
    }
    text += "}\n";
    out_.write(text);
  }

 private:
  std::string begin() const {
    std::string text = R"({"schema": "kvmscope.report/1")";
    const auto add = [&](std::string_view key, std::string_view value) {
      text += fmt::format(", \"{}\": ", key);
      if (value.empty())
        text += "null";
      else
        append_json_string(text, value);
    };
    add("target", job_.target);
    add("time", job_.time);
    if (job_.truth) add("truth", *job_.truth);
    return text + ", \"records\": [";
  }

  Objects objects_;
  bool any_ = false;
  std::vector<std::string> notes_;
  std::string truth_;
};

}  // namespace

RendererPtr make_jsonl(const RenderJob& job, Output& out, Messages& messages) {
  return std::make_unique<Lines>(job, out, messages);
}

RendererPtr make_json(const RenderJob& job, Output& out, Messages& messages) {
  return std::make_unique<Array>(job, out, messages);
}

RendererPtr make_report(const RenderJob& job, Output& out, Messages& messages) {
  return std::make_unique<Report>(job, out, messages);
}

}  // namespace kvmscope
