// What C's operators do with objects.
#pragma once

#include <string_view>

#include "core/object/object.hpp"

namespace kvmscope {

enum class UnaryOperator { plus, minus, complement, logical_not };

enum class BinaryOperator {
  multiply,
  divide,
  remainder,
  add,
  subtract,
  shift_left,
  shift_right,
  less,
  greater,
  less_equal,
  greater_equal,
  equal,
  not_equal,
  bit_and,
  bit_xor,
  bit_or,
};

std::string_view spelling(BinaryOperator op);  // "<<"

// Integer promotions and the usual arithmetic conversions; pointers move by the size of their
// element. Overflow wraps. Throws Error{usage}: no number, a division by zero, a shift by the
// width or more, pointers to different types; Error{fault} on reading an operand.
Object apply(UnaryOperator op, const Object& operand);
Object apply(BinaryOperator op, const Object& left, const Object& right);

// The type in which C calculates with both (integers only): that of one of the two where it
// fits, so that u64 stays u64.
const Type& common_type(const Object& left, const Object& right);

// As an int, 0 or 1.
Object truth(const Object& like, bool value);

}  // namespace kvmscope
