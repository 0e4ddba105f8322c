// Records: what a command says, before any format renders it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/address.hpp"
#include "core/base/error.hpp"

namespace kvmscope {

// An address, gfn or mask: "0x1f" in tables, a hex string in JSON (a number with --raw-numbers).
struct Hex {
  std::uint64_t value = 0;
  Hex() = default;
  explicit Hex(std::uint64_t number) : value(number) {}
  template <typename Tag>
  explicit Hex(Number<Tag> number) : value(number.value) {}
  bool operator==(const Hex&) const = default;
};

// A value that could not be read, with the reason: {"lost": REASON}.
struct Lost {
  std::string reason;
  bool corrupt = false;  // it was read, and makes no sense
  bool torn = false;     // it changed while it was read
  bool operator==(const Lost&) const = default;
};

using Words = std::vector<std::string>;
struct Record;
using Records = std::vector<Record>;

// Nothing (null), flag, signed number, count, hex, text, words, list of records, lost.
using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, Hex, std::string,
                           Words, Records, Lost>;

enum class ColumnKind { count, number, hex, flag, text, words, records };

struct Column {
  std::string_view name;  // the key in JSON
  ColumnKind kind = ColumnKind::text;
  std::string_view help;
  std::vector<Column> nested = {};  // the columns of a list of records
  // Only table, tree and dot forms see it: it is no key of the record.
  bool form_only = false;
};

// Values in the order of the columns that they were made for. `notes` only on a damaged record.
struct Record {
  std::vector<Value> values;
  std::vector<std::string> notes = {};
  bool operator==(const Record&) const = default;
};

// null where there is none.
inline Value number_or_null(const std::optional<std::uint64_t>& number) {
  return number ? Value{*number} : Value{};
}
inline Value hex_or_null(const std::optional<std::uint64_t>& number) {
  return number ? Value{Hex(*number)} : Value{};
}

// A record with its columns: values by name. Precondition: the name is a column.
class RecordView {
 public:
  RecordView(std::span<const Column> columns, const Record& record)
      : columns_(columns), record_(record) {}
  const Value& operator[](std::string_view name) const;
  // As tables show it: "-" for null, "lost(REASON)", hex with 0x, words joined by commas.
  std::string text(std::string_view name) const;
  bool flag(std::string_view name) const;             // false when null or lost
  std::uint64_t number(std::string_view name) const;  // 0 when null or lost
  const Words& words(std::string_view name) const;    // empty when null or lost
  const Records& records(std::string_view name) const;
  bool is_null(std::string_view name) const;
  bool is_lost(std::string_view name) const;
  const std::vector<std::string>& notes() const { return record_.notes; }
  std::span<const Column> columns() const { return columns_; }
  const Record& record() const { return record_; }

 private:
  std::span<const Column> columns_;
  const Record& record_;
};

// The same text for one value.
std::string value_text(const Value& value);

// Runs `get`; a fault or corrupt data becomes a Lost value. Part of the row sink's
// job of going on after a fault (the only other place that may catch).
template <typename Get>
Value value_or_lost(Get&& get) {
  try {
    return get();
  } catch (const Error& error) {
    if (!is_about_data(error.kind())) throw;
    return Lost{error.what(), error.kind() == ErrorKind::corrupt, error.kind() == ErrorKind::torn};
  }
}

// A column of records about an Item, with the function that reads it.
template <typename Item>
struct FieldOf {
  Column column;
  Value (*get)(const Item&);
};

template <typename Item>
std::vector<Column> columns_of(const std::vector<FieldOf<Item>>& fields) {
  std::vector<Column> columns;
  columns.reserve(fields.size());
  for (const FieldOf<Item>& field : fields) columns.push_back(field.column);
  return columns;
}

// One record about `item`; a field that cannot be read is lost, the others stay.
template <typename Item>
Record make_record(const std::vector<FieldOf<Item>>& fields, const Item& item) {
  Record record;
  record.values.reserve(fields.size());
  for (const FieldOf<Item>& field : fields)
    record.values.push_back(value_or_lost([&] { return field.get(item); }));
  return record;
}

}  // namespace kvmscope
