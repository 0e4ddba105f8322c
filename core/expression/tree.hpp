// What an expression consists of, before it has a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/expression/type_name.hpp"
#include "core/object/arithmetic.hpp"

namespace kvmscope {

enum class NodeKind {
  number,
  symbol,       // a global variable, or whatever the scope knows by name
  variable,     // $name
  member,       // child.name
  arrow,        // child->name
  index,        // child[child]
  dereference,  // *child
  address_of,   // &child
  unary,
  binary,
  logical_and,
  logical_or,
  conditional,    // child ? child : child
  cast,           // (type)child
  size_of_type,   // sizeof(type)
  size_of_value,  // sizeof child
  offset_of,      // offsetof(type, path)
  container_of,   // container_of(child, type, path)
  assignment,     // $name = child
  call,           // name(child, …): what the scope offers, never a function of the kernel
};

struct Node {
  NodeKind kind = NodeKind::number;
  std::size_t column = 0;  // where an error about this node points
  std::string text = {};   // a name, a path of members
  std::uint64_t number = 0;
  bool is_unsigned = false;  // a number's type
  bool is_long = false;
  UnaryOperator unary = UnaryOperator::plus;
  BinaryOperator binary = BinaryOperator::add;
  TypeName type = {};
  std::vector<std::unique_ptr<const Node>> children = {};
  unsigned depth = 1;  // of the tree below, this node included: at most 500
};

// A parsed expression. Independent of the text that it was made from.
using Expression = std::unique_ptr<const Node>;

// `types` decides whether "(name)" in front of an operator is a cast; nothing else is looked up.
// Throws Error{usage} that has a column. Safe for any input.
Expression parse_expression(std::string_view text, const Types& types);

}  // namespace kvmscope
