// Objects of the kernel that records name by their addresses, and how drgn and crash get at them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "commands/output/record.hpp"

namespace kvmscope {

struct NamedObject {
  std::string field;  // that holds its address: "sp", "pages[3].sp"
  std::string type;   // C; empty: memory at a physical address
  Value address;      // Hex, or Lost
};

// Calls `found` for each object of a record, in the order of its columns.
void find_objects(std::span<const Column> columns, const Record& record,
                  const std::function<void(NamedObject)>& found);

// Whether records of these columns can name an object.
bool can_name_objects(std::span<const Column> columns);

// `Object(prog, "struct kvm *", 0x…)`: what to type in drgn; null: the address is not known.
Value drgn_expression(const NamedObject& object);
// `struct kvm 0x…`: what to type in crash; null as above.
Value crash_command(const NamedObject& object);

}  // namespace kvmscope
