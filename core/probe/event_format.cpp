#include "core/probe/event_format.hpp"

#include <charconv>

#include "core/base/error.hpp"

namespace kvmscope::probe {
namespace {

constexpr std::size_t most_bytes = 1U << 16;  // more than any event has

[[noreturn]] void fail(std::string_view line) {
  throw_error(ErrorKind::corrupt, "a format file of tracefs has a line we do not understand: {}",
              line);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  if (start == text.npos) return {};
  return text.substr(start, text.find_last_not_of(" \t") - start + 1);
}

std::uint64_t number(std::string_view text, std::string_view line, std::uint64_t limit) {
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || value > limit)
    fail(line);
  return value;
}

// The text between "KEY:" and the next semicolon.
std::string_view part(std::string_view line, std::string_view key) {
  const std::size_t start = line.find(key);
  if (start == line.npos) fail(line);
  const std::size_t from = start + key.size();
  const std::size_t end = line.find(';', from);
  if (end == line.npos) fail(line);
  return trimmed(line.substr(from, end - from));
}

// "unsigned short common_type", "char comm[16]": the array's size belongs to the type.
void split_declaration(std::string_view declaration, std::string_view line, EventField& field) {
  std::string_view array;
  if (declaration.ends_with(']')) {
    const std::size_t bracket = declaration.rfind('[');
    if (bracket == declaration.npos) fail(line);
    array = declaration.substr(bracket);
    declaration = declaration.substr(0, bracket);
  }
  const std::size_t blank = declaration.find_last_of(" *");
  if (blank == declaration.npos || blank + 1 == declaration.size()) fail(line);
  field.name = declaration.substr(blank + 1);
  field.type = std::string(trimmed(declaration.substr(0, blank + 1))) + std::string(array);
}

// "field:unsigned short common_type;	offset:0;	size:2;	signed:0;"
EventField parse_field(std::string_view line) {
  EventField field;
  split_declaration(part(line, "field:"), line, field);
  field.offset = number(part(line, "offset:"), line, most_bytes);
  field.size = number(part(line, "size:"), line, most_bytes);
  field.is_signed = number(part(line, "signed:"), line, 1) != 0;
  return field;
}

template <typename Visit>
void each_line(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    visit(trimmed(text.substr(0, end)));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
}

}  // namespace

bool EventField::is_number() const {
  const bool whole = size == 1 || size == 2 || size == 4 || size == 8;
  return whole && !type.ends_with(']') && !type.starts_with("__data_loc") &&
         !type.starts_with("__rel_loc");
}

const EventField* EventFormat::find(std::string_view field) const {
  for (const auto* list : {&fields, &common})
    for (const EventField& known : *list)
      if (known.name == field) return &known;
  return nullptr;
}

std::vector<EventField> parse_fields(std::string_view text) {
  std::vector<EventField> fields;
  each_line(text, [&](std::string_view line) {
    if (line.starts_with("field:")) fields.push_back(parse_field(line));
  });
  return fields;
}

EventFormat parse_event_format(std::string_view text) {
  // What is printed may look like anything.
  text = text.substr(0, text.find("\nprint fmt:"));
  EventFormat format;
  bool has_id = false;
  each_line(text, [&](std::string_view line) {
    if (line.starts_with("name:")) format.name = trimmed(line.substr(5));
    if (!line.starts_with("ID:")) return;
    format.id = static_cast<std::uint16_t>(number(trimmed(line.substr(3)), line, UINT16_MAX));
    has_id = true;
  });
  for (EventField& field : parse_fields(text)) {
    auto& list = field.name.starts_with("common_") ? format.common : format.fields;
    list.push_back(std::move(field));
  }
  if (!has_id || format.find("common_type") == nullptr)
    throw Error(ErrorKind::corrupt, "a format file of tracefs says no ID or common_type");
  return format;
}

std::optional<std::uint64_t> read_field(const EventField& field, Bytes event) {
  if (field.size > sizeof(std::uint64_t) || field.offset > event.size() ||
      field.size > event.size() - field.offset)
    return std::nullopt;
  const std::uint64_t raw = load_unsigned(event.subspan(field.offset, field.size));
  if (!field.is_signed || field.size == 0) return raw;
  return static_cast<std::uint64_t>(sign_extend(raw, static_cast<unsigned>(8 * field.size)));
}

}  // namespace kvmscope::probe
