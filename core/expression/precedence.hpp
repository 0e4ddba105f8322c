// C's binary operators and which of them binds tighter.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "core/expression/lexer.hpp"
#include "core/expression/tree.hpp"

namespace kvmscope {

struct BinaryRule {
  std::string_view text;
  int precedence;  // higher binds tighter
  NodeKind kind;
  BinaryOperator op;
};

inline constexpr std::array<BinaryRule, 18> binary_rules = {{
    {"||", 1, NodeKind::logical_or, {}},
    {"&&", 2, NodeKind::logical_and, {}},
    {"|", 3, NodeKind::binary, BinaryOperator::bit_or},
    {"^", 4, NodeKind::binary, BinaryOperator::bit_xor},
    {"&", 5, NodeKind::binary, BinaryOperator::bit_and},
    {"==", 6, NodeKind::binary, BinaryOperator::equal},
    {"!=", 6, NodeKind::binary, BinaryOperator::not_equal},
    {"<", 7, NodeKind::binary, BinaryOperator::less},
    {">", 7, NodeKind::binary, BinaryOperator::greater},
    {"<=", 7, NodeKind::binary, BinaryOperator::less_equal},
    {">=", 7, NodeKind::binary, BinaryOperator::greater_equal},
    {"<<", 8, NodeKind::binary, BinaryOperator::shift_left},
    {">>", 8, NodeKind::binary, BinaryOperator::shift_right},
    {"+", 9, NodeKind::binary, BinaryOperator::add},
    {"-", 9, NodeKind::binary, BinaryOperator::subtract},
    {"*", 10, NodeKind::binary, BinaryOperator::multiply},
    {"/", 10, NodeKind::binary, BinaryOperator::divide},
    {"%", 10, NodeKind::binary, BinaryOperator::remainder},
}};

// nullptr: the token is no binary operator.
inline const BinaryRule* binary_rule(const Token& token) {
  if (token.kind != TokenKind::punctuation) return nullptr;
  const auto found = std::find_if(binary_rules.begin(), binary_rules.end(),
                                  [&](const BinaryRule& rule) { return rule.text == token.text; });
  return found != binary_rules.end() ? &*found : nullptr;
}

}  // namespace kvmscope
