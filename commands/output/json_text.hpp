// Values as JSON text.
#pragma once

#include <span>
#include <string>

#include "commands/output/record.hpp"

namespace kvmscope {

// `nested`: the columns of a list of records. `raw_numbers`: addresses as numbers.
void append_json(std::string& out, const Value& value, std::span<const Column> nested,
                 bool raw_numbers);

// {"key": value, …}; `notes` is a key of a record that has some.
void append_json(std::string& out, const Record& record, std::span<const Column> columns,
                 bool raw_numbers);

// Just ["a", "b"].
void append_json(std::string& out, const std::vector<std::string>& texts);

}  // namespace kvmscope
