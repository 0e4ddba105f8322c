// What became of a command's records from one run of it to the next.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "commands/output/record.hpp"

namespace kvmscope {

enum class Change { first, same, fresh, gone, changed };

// How a change is told: a word in records and a sign in tables.
struct ChangeName {
  Change change;
  std::string_view word;  // "first", "same", "new", "gone", "changed"
  std::string_view sign;  // "", "", "+", "-", "*"
};
const ChangeName& name_of(Change change);

struct ChangedRecord {
  Change change = Change::first;
  Record record;
  std::optional<Record> before;          // of a changed one
  std::vector<std::string_view> fields;  // that are not as before
};

class ChangeFinder {
 public:
  // A record is told from the others by `keys`, fields among `columns`; without any by its place.
  ChangeFinder(std::vector<Column> columns, const std::vector<std::string_view>& keys);

  // The records of the next round in their order, then those that are gone.
  std::vector<ChangedRecord> next(std::vector<Record> records);

 private:
  using Places = std::unordered_map<std::string, std::size_t>;  // key → place in before_

  std::string key_of(const Record& record, std::size_t place, Places& met) const;
  void compare(ChangedRecord& record, const Record& before) const;

  std::vector<Column> columns_;
  std::vector<std::size_t> keys_;
  bool is_first_ = true;
  std::vector<Record> before_;
  Places places_;
};

}  // namespace kvmscope
