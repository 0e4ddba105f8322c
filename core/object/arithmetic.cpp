#include "core/object/arithmetic.hpp"

#include <array>
#include <limits>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t int_size = 4;

[[noreturn]] void throw_operands(BinaryOperator op, const Object& left, const Object& right) {
  throw_error(ErrorKind::usage, "{} {} {} makes no sense", type_name(left.type()), spelling(op),
              type_name(right.type()));
}

bool is_number(const Object& object) {
  return is_integral(object.type());
}

// Decayed, and a number or a pointer.
Object operand_of(const Object& object) {
  Object value = object.decayed();
  if (!is_number(value) && !value.is_pointer())
    throw_error(ErrorKind::usage, "{} is no number", type_name(object.type()));
  return value;
}

// C's integer promotions: what is smaller than an int becomes one.
const Type& promoted_type(const Object& original, const Object& value) {
  const Type& type = strip(value.type());
  const bool narrow = type.size < int_size || type.kind == TypeKind::boolean ||
                      (original.is_bit_field() && original.bit_size() < 32);
  if (narrow) return value.types().integer(int_size, true);
  if (type.kind == TypeKind::enumeration) return value.types().integer(type.size, type.is_signed);
  return value.type();
}

const Type& wider_type(const Types& types, const Type& left, const Type& right) {
  const Type& a = strip(left);
  const Type& b = strip(right);
  if (a.size != b.size) return a.size > b.size ? left : right;
  if (a.is_signed == b.is_signed) {
    // A typedef says more than "unsigned long".
    return left.kind != TypeKind::typedef_type && right.kind == TypeKind::typedef_type ? right
                                                                                       : left;
  }
  const Type& chosen = a.is_signed ? right : left;
  return strip(chosen).size >= int_size ? chosen : types.integer(int_size, false);
}

template <typename Number>
bool compare(BinaryOperator op, Number a, Number b) {
  switch (op) {
    case BinaryOperator::less: return a < b;
    case BinaryOperator::greater: return a > b;
    case BinaryOperator::less_equal: return a <= b;
    case BinaryOperator::greater_equal: return a >= b;
    case BinaryOperator::equal: return a == b;
    default: return a != b;
  }
}

bool is_comparison(BinaryOperator op) {
  return op >= BinaryOperator::less && op <= BinaryOperator::not_equal;
}

std::uint64_t divide(BinaryOperator op, std::uint64_t a, std::uint64_t b, bool is_signed) {
  if (b == 0) throw_error(ErrorKind::usage, "division by zero");
  const bool quotient = op == BinaryOperator::divide;
  if (!is_signed) return quotient ? a / b : a % b;
  const auto x = static_cast<std::int64_t>(a);
  const auto y = static_cast<std::int64_t>(b);
  // The one quotient that does not fit; the processor would trap.
  if (x == std::numeric_limits<std::int64_t>::min() && y == -1) return quotient ? a : 0;
  return static_cast<std::uint64_t>(quotient ? x / y : x % y);
}

std::uint64_t calculate(BinaryOperator op, std::uint64_t a, std::uint64_t b, bool is_signed) {
  switch (op) {
    case BinaryOperator::multiply: return a * b;
    case BinaryOperator::divide:
    case BinaryOperator::remainder: return divide(op, a, b, is_signed);
    case BinaryOperator::add: return a + b;
    case BinaryOperator::subtract: return a - b;
    case BinaryOperator::bit_and: return a & b;
    case BinaryOperator::bit_xor: return a ^ b;
    default: return a | b;
  }
}

Object shift(BinaryOperator op, const Object& original, const Object& left, const Object& right) {
  const Type& type = promoted_type(original, left);
  const std::uint64_t width = strip(type).size * 8;
  const std::uint64_t count = right.as_unsigned();
  if (count >= width)
    throw_error(ErrorKind::usage, "a shift by {} of the {} bits of {}", right.as_signed(), width,
                type_name(type));
  const Object value = left.cast(type);
  if (op == BinaryOperator::shift_left)
    return value.sibling_value(type, value.as_unsigned() << count);
  if (value.is_signed())
    return value.sibling_value(type, static_cast<std::uint64_t>(value.as_signed() >> count));
  return value.sibling_value(type, value.as_unsigned() >> count);
}

Object difference(const Object& left, const Object& right) {
  const Type& a = target_of(left.type());
  const Type& b = target_of(right.type());
  if (type_name(strip(a)) != type_name(strip(b)))
    throw_error(ErrorKind::usage, "{} and {} point to different types: cast one of them",
                type_name(left.type()), type_name(right.type()));
  const std::uint64_t size = size_of(left.types(), a);
  if (size == 0) throw_error(ErrorKind::usage, "{} has no size", type_name(a));
  const auto bytes = static_cast<std::int64_t>(left.as_unsigned() - right.as_unsigned());
  return left.sibling_value(left.types().integer(8, true),
                            static_cast<std::uint64_t>(bytes / static_cast<std::int64_t>(size)));
}

// At least one of the two is a pointer.
Object apply_to_pointers(BinaryOperator op, const Object& left, const Object& right) {
  if (is_comparison(op)) return truth(left, compare(op, left.as_unsigned(), right.as_unsigned()));
  if (op == BinaryOperator::subtract && left.is_pointer() && right.is_pointer())
    return difference(left, right);
  const bool moves = op == BinaryOperator::add ? left.is_pointer() != right.is_pointer()
                                               : op == BinaryOperator::subtract && is_number(right);
  if (!moves) throw_operands(op, left, right);
  const Object& pointer = left.is_pointer() ? left : right;
  const Object& number = left.is_pointer() ? right : left;
  const std::uint64_t bytes =
      number.as_unsigned() * size_of(pointer.types(), target_of(pointer.type()));
  const std::uint64_t address = pointer.as_unsigned();
  return pointer.sibling_value(pointer.type(),
                               op == BinaryOperator::add ? address + bytes : address - bytes);
}

}  // namespace

std::string_view spelling(BinaryOperator op) {
  constexpr std::array<std::string_view, 16> spellings = {
      "*", "/", "%", "+", "-", "<<", ">>", "<", ">", "<=", ">=", "==", "!=", "&", "^", "|"};
  return spellings[static_cast<std::size_t>(op)];
}

const Type& common_type(const Object& left, const Object& right) {
  return wider_type(left.types(), promoted_type(left, left), promoted_type(right, right));
}

Object truth(const Object& like, bool value) {
  return like.sibling_value(like.types().integer(int_size, true), value ? 1 : 0);
}

Object apply(UnaryOperator op, const Object& operand) {
  const Object value = operand_of(operand);
  if (op == UnaryOperator::logical_not) return truth(value, !value.as_bool());
  if (!is_number(value))
    throw_error(ErrorKind::usage, "{} is no number", type_name(operand.type()));
  const Type& type = promoted_type(operand, value);
  const std::uint64_t number = value.cast(type).as_unsigned();
  switch (op) {
    case UnaryOperator::minus: return value.sibling_value(type, 0 - number);
    case UnaryOperator::complement: return value.sibling_value(type, ~number);
    default: return value.sibling_value(type, number);
  }
}

Object apply(BinaryOperator op, const Object& left, const Object& right) {
  const Object a = operand_of(left);
  const Object b = operand_of(right);
  if (a.is_pointer() || b.is_pointer()) return apply_to_pointers(op, a, b);
  if (op == BinaryOperator::shift_left || op == BinaryOperator::shift_right)
    return shift(op, left, a, b);
  const Type& type = common_type(left, right);
  const Object x = a.cast(type);
  const Object y = b.cast(type);
  if (!is_comparison(op))
    return x.sibling_value(type, calculate(op, x.as_unsigned(), y.as_unsigned(), x.is_signed()));
  return truth(x, x.is_signed() ? compare(op, x.as_signed(), y.as_signed())
                                : compare(op, x.as_unsigned(), y.as_unsigned()));
}

}  // namespace kvmscope
