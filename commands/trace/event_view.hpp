// What the records of all trace commands have in common: whose an event is, and when it was.
#pragma once

#include <string>

#include "commands/output/view.hpp"

namespace kvmscope::tracing {

// "0.1" of a record with the fields vm and vcpu, see name_text().
std::string owner_text(const RecordView& record);

// "12:00:00.000001" of a record with the field time; `length`: 8 of it are whole seconds.
std::string time_text(const RecordView& record, std::size_t length = 15);

}  // namespace kvmscope::tracing
