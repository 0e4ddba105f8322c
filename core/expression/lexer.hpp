// A C expression as tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"

namespace kvmscope {

enum class TokenKind { end, identifier, number, variable, punctuation };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text = {};  // as written; of a variable, the name without $
  std::size_t column = 0;      // bytes from the start of the expression
  std::uint64_t number = 0;    // of a number or a character literal
  bool is_unsigned = false;    // it has a U suffix, or is a bare address
  bool is_long = false;        // it has an L suffix, or is a bare address
  bool is_decimal = false;     // decimal literals never become unsigned by themselves

  bool is(std::string_view punctuation) const {
    return kind == TokenKind::punctuation && text == punctuation;
  }
};

// The tokens of `text`, which must outlive them; the last one is `end`.
// Throws Error{usage} with a column.
std::vector<Token> tokenize(std::string_view text);

// A fault of the user's at `column` of the expression.
template <typename... Args>
[[noreturn]] void throw_at(std::size_t column, fmt::format_string<Args...> format, Args&&... args) {
  Error error(ErrorKind::usage, fmt::format(format, std::forward<Args>(args)...));
  error.set_column(column);
  throw error;
}

// Runs `body`; a usage error that leaves it without a place gets this one.
template <typename Body>
decltype(auto) at_column(std::size_t column, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    if (error.kind() == ErrorKind::usage && !error.column()) error.set_column(column);
    throw;
  }
}

// Runs `body`, whose text starts at `start` of a longer one: columns of errors move there.
template <typename Body>
decltype(auto) columns_from(std::size_t start, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    if (error.column()) error.set_column(*error.column() + start);
    throw;
  }
}

// Runs `body`, whose text is not part of the user's line as the caller counts it.
template <typename Body>
decltype(auto) without_column(Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    if (!error.column()) throw;
    Error plain(error.kind(), error.message());
    for (const std::string& line : error.context()) plain.add_context(line);
    throw plain;
  }
}

}  // namespace kvmscope
