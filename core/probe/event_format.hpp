// What one event consists of: the `format` file of tracefs, read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bits.hpp"

namespace kvmscope::probe {

// One value in an event's bytes.
struct EventField {
  std::string name;
  std::string type;  // "unsigned short", "char[16]", "__data_loc char[]"
  std::size_t offset = 0;
  std::size_t size = 0;
  bool is_signed = false;

  // A number of up to 8 bytes, no array.
  bool is_number() const;
};

struct EventFormat {
  std::string name;
  std::uint16_t id = 0;
  std::vector<EventField> common;  // those that every event has: common_type, common_pid
  std::vector<EventField> fields;

  const EventField* find(std::string_view field) const;  // common ones too; nullptr: none
};

// The lines "field:TYPE NAME; offset:N; size:N; signed:N;" of a text, which events/header_page has,
// too. Throws Error{corrupt} on one that is no such line.
std::vector<EventField> parse_fields(std::string_view text);

// Throws Error{corrupt} on a text that is no such file.
EventFormat parse_event_format(std::string_view text);

// The number at the field, signed ones extended to 64 bits; none when `event` is too short.
std::optional<std::uint64_t> read_field(const EventField& field, Bytes event);

}  // namespace kvmscope::probe
