#include "commands/output/json_text.hpp"

#include <array>
#include <charconv>

#include "commands/output/escape.hpp"

namespace kvmscope {
namespace {

template <typename Integer>
void append_number(std::string& out, Integer value, int base = 10) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  out.append(digits.data(), end);
}

// One overload per alternative of Value.
struct Writer {
  std::string& out;
  std::span<const Column> nested;
  bool raw_numbers;

  void operator()(std::monostate) const { out += "null"; }
  void operator()(bool flag) const { out += flag ? "true" : "false"; }
  void operator()(std::int64_t number) const { append_number(out, number); }
  void operator()(std::uint64_t number) const { append_number(out, number); }
  void operator()(Hex hex) const {
    if (raw_numbers) return append_number(out, hex.value);
    out += "\"0x";
    append_number(out, hex.value, 16);
    out += '"';
  }
  void operator()(const std::string& text) const { append_json_string(out, text); }
  void operator()(const Words& words) const { append_json(out, words); }
  void operator()(const Records& records) const {
    out += '[';
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (i != 0) out += ", ";
      append_json(out, records[i], nested, raw_numbers);
    }
    out += ']';
  }
  void operator()(const Lost& lost) const {
    out += "{\"lost\": ";
    append_json_string(out, lost.reason);
    out += '}';
  }
};

}  // namespace

void append_json(std::string& out, const std::vector<std::string>& texts) {
  out += '[';
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i != 0) out += ", ";
    append_json_string(out, texts[i]);
  }
  out += ']';
}

void append_json(std::string& out, const Value& value, std::span<const Column> nested,
                 bool raw_numbers) {
  std::visit(Writer{out, nested, raw_numbers}, value);
}

void append_json(std::string& out, const Record& record, std::span<const Column> columns,
                 bool raw_numbers) {
  out += '{';
  for (std::size_t i = 0; i < columns.size() && i < record.values.size(); ++i) {
    if (i != 0) out += ", ";
    // The names are ours: nothing in them has to be escaped.
    ((out += '"') += columns[i].name) += "\": ";
    append_json(out, record.values[i], columns[i].nested, raw_numbers);
  }
  if (!record.notes.empty()) {
    out += columns.empty() ? "\"notes\": " : ", \"notes\": ";
    append_json(out, record.notes);
  }
  out += '}';
}

}  // namespace kvmscope
