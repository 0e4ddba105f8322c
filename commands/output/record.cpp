#include "commands/output/record.hpp"

#include <algorithm>

#include <fmt/ranges.h>

#include "commands/output/json_text.hpp"

namespace kvmscope {
namespace {

std::size_t index_of(std::span<const Column> columns, std::string_view name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const Column& column) { return column.name == name; });
  if (found == columns.end())
    throw_error(ErrorKind::internal, "no field '{}' among the columns of this record", name);
  return static_cast<std::size_t>(found - columns.begin());
}

// The alternative T of a value, an empty T when it holds something else.
template <typename T>
const T& list_in(const Value& value) {
  static const T empty;
  const T* list = std::get_if<T>(&value);
  return list != nullptr ? *list : empty;
}

struct TextOf {
  std::string operator()(std::monostate) const { return "-"; }
  std::string operator()(bool flag) const { return flag ? "yes" : "no"; }
  std::string operator()(std::int64_t number) const { return std::to_string(number); }
  std::string operator()(std::uint64_t number) const { return std::to_string(number); }
  std::string operator()(Hex hex) const { return fmt::format("{:#x}", hex.value); }
  std::string operator()(const std::string& text) const { return text; }
  std::string operator()(const Words& words) const {
    return words.empty() ? "-" : fmt::format("{}", fmt::join(words, ","));
  }
  std::string operator()(const Records& records) const {
    return fmt::format("[{}]", records.size());
  }
  std::string operator()(const Lost& lost) const { return fmt::format("lost({})", lost.reason); }
};

}  // namespace

std::string value_text(const Value& value) {
  return std::visit(TextOf{}, value);
}

const Value& RecordView::operator[](std::string_view name) const {
  const std::size_t index = index_of(columns_, name);
  if (index >= record_.values.size())
    throw_error(ErrorKind::internal, "a record has no value for its field '{}'", name);
  return record_.values[index];
}

std::string RecordView::text(std::string_view name) const {
  const Value& value = (*this)[name];
  if (!std::holds_alternative<Records>(value)) return value_text(value);
  std::string text;
  append_json(text, value, columns_[index_of(columns_, name)].nested, false);
  return text;
}

bool RecordView::flag(std::string_view name) const {
  const bool* flag = std::get_if<bool>(&(*this)[name]);
  return flag != nullptr && *flag;
}

std::uint64_t RecordView::number(std::string_view name) const {
  const Value& value = (*this)[name];
  if (const auto* count = std::get_if<std::uint64_t>(&value)) return *count;
  if (const auto* number = std::get_if<std::int64_t>(&value))
    return static_cast<std::uint64_t>(*number);
  if (const auto* hex = std::get_if<Hex>(&value)) return hex->value;
  return 0;
}

const Words& RecordView::words(std::string_view name) const {
  return list_in<Words>((*this)[name]);
}

const Records& RecordView::records(std::string_view name) const {
  return list_in<Records>((*this)[name]);
}

bool RecordView::is_null(std::string_view name) const {
  return std::holds_alternative<std::monostate>((*this)[name]);
}

bool RecordView::is_lost(std::string_view name) const {
  return std::holds_alternative<Lost>((*this)[name]);
}

}  // namespace kvmscope
