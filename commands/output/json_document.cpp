#include "commands/output/json_document.hpp"

#include "commands/output/escape.hpp"
#include "commands/output/json_text.hpp"
#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// Members of objects down to here have lines of their own.
constexpr std::size_t deepest_lines = 4;

}  // namespace

// What stands before a value: a comma, a line end where a person looks for one, the key.
void JsonDocument::start(std::string& text, std::string_view key) {
  if (!open_.empty()) {
    Open& parent = open_.back();
    const bool line = parent.closing == ']' || open_.size() <= deepest_lines;
    if (!parent.empty) text += ',';
    if (line)
      text += '\n';
    else if (!parent.empty)
      text += ' ';
    parent.empty = false;
  }
  if (key.empty()) return;
  append_json_string(text, key);
  text += ": ";
}

void JsonDocument::begin(std::string_view key, char opening) {
  std::string text;
  start(text, key);
  text += opening;
  out_.write(text);
  open_.push_back({opening == '{' ? '}' : ']'});
}

void JsonDocument::end() {
  if (open_.empty()) throw Error(ErrorKind::internal, "a JSON document ends twice");
  std::string text;
  if (!open_.back().empty) text += '\n';
  text += open_.back().closing;
  open_.pop_back();
  if (open_.empty()) text += '\n';
  out_.write(text);
}

void JsonDocument::end_to(std::size_t depth) {
  while (open_.size() > depth) end();
}

void JsonDocument::member(std::string_view key, const Value& value) {
  std::string text;
  start(text, key);
  append_json(text, value, {}, false);
  out_.write(text);
}

void JsonDocument::record(std::string_view key, const Record& record,
                          std::span<const Column> columns) {
  std::string text;
  start(text, key);
  append_json(text, record, columns, false);
  out_.write(text);
}

void JsonDocument::members(const Record& record, std::span<const Column> columns) {
  for (std::size_t i = 0; i < columns.size() && i < record.values.size(); ++i) {
    std::string text;
    start(text, columns[i].name);
    append_json(text, record.values[i], columns[i].nested, false);
    out_.write(text);
  }
}

void JsonDocument::finish() {
  end_to(0);
}

}  // namespace kvmscope
