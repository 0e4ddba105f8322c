#include "commands/changes.hpp"

#include <algorithm>
#include <array>

#include "commands/output/row_sink.hpp"
#include "core/base/error.hpp"

namespace kvmscope {
namespace {

constexpr std::array<ChangeName, 5> names = {{{Change::first, "first", ""},
                                              {Change::same, "same", ""},
                                              {Change::fresh, "new", "+"},
                                              {Change::gone, "gone", "-"},
                                              {Change::changed, "changed", "*"}}};

std::size_t place_of(const std::vector<Column>& columns, std::string_view name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const Column& column) { return column.name == name; });
  if (found == columns.end())
    throw_error(ErrorKind::internal, "the key '{}' is no field of these records", name);
  return static_cast<std::size_t>(found - columns.begin());
}

}  // namespace

const ChangeName& name_of(Change change) {
  return *std::find_if(names.begin(), names.end(),
                       [&](const ChangeName& name) { return name.change == change; });
}

ChangeFinder::ChangeFinder(std::vector<Column> columns, const std::vector<std::string_view>& keys)
    : columns_(std::move(columns)) {
  for (const std::string_view key : keys) keys_.push_back(place_of(columns_, key));
}

// Records that have the same key are told apart by their order.
std::string ChangeFinder::key_of(const Record& record, std::size_t place, Places& met) const {
  if (keys_.empty()) return std::to_string(place);
  std::string key;
  for (const std::size_t field : keys_) key += value_text(record.values.at(field)) + '\0';
  return key + std::to_string(met[key]++);
}

void ChangeFinder::compare(ChangedRecord& record, const Record& before) const {
  // How far a record can be trusted, which its notes explain, is no news of the kernel.
  const auto is_truth = [](const Column& column) { return column.name == truth_field; };
  for (std::size_t i = 0; i < columns_.size(); ++i)
    if (!is_truth(columns_[i]) && record.record.values.at(i) != before.values.at(i))
      record.fields.push_back(columns_[i].name);
  const bool has_truth = std::any_of(columns_.begin(), columns_.end(), is_truth);
  const bool same = record.fields.empty() && (has_truth || record.record.notes == before.notes);
  record.change = same ? Change::same : Change::changed;
  if (!same) record.before = before;
}

std::vector<ChangedRecord> ChangeFinder::next(std::vector<Record> records) {
  std::vector<ChangedRecord> found;
  std::vector<bool> stayed(before_.size(), false);
  Places met;
  Places places;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::string key = key_of(records[i], i, met);
    places.emplace(key, i);
    ChangedRecord changed{is_first_ ? Change::first : Change::fresh, records[i], {}, {}};
    if (const auto before = places_.find(key); before != places_.end()) {
      stayed[before->second] = true;
      compare(changed, before_[before->second]);
    }
    found.push_back(std::move(changed));
  }
  for (std::size_t i = 0; i < before_.size(); ++i)
    if (!stayed[i]) found.push_back({Change::gone, std::move(before_[i]), {}, {}});
  before_ = std::move(records);
  places_ = std::move(places);
  is_first_ = false;
  return found;
}

}  // namespace kvmscope
