// Numbers, enums, pointers and strings as text: the leaves of format.hpp.
#pragma once

#include <string>

#include "core/object/format.hpp"

namespace kvmscope {

// The value of a scalar without its type: 5, 0xfee00000, true, PG_LEVEL_4K, 0xffff… = "kvm".
// Throws Error{fault} when it cannot be read.
std::string format_scalar(const Object& object, const FormatOptions& options);

// Whether an array of this type is text.
bool is_character(const Type& type);

// The text of a char array, up to its terminator; some 256 bytes of a longer one.
std::string format_char_array(const Object& array);

}  // namespace kvmscope
