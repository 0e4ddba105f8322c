// What the records of all trace commands have in common: whose an event is, and when it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "commands/output/record.hpp"
#include "commands/output/view.hpp"

namespace kvmscope::tracing {

// null where there is none.
inline Value number_or_null(const std::optional<std::uint64_t>& number) {
  return number ? Value{*number} : Value{};
}

// "0.1" of a record with the fields vm and vcpu, see name_text().
std::string owner_text(const RecordView& record);

// "12:00:00.000001" of a record with the field time; `length`: 8 of it are whole seconds.
std::string time_text(const RecordView& record, std::size_t length = 15);

}  // namespace kvmscope::tracing
