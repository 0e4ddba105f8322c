// Errors that point at a place in the user's line.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "core/base/error.hpp"

namespace kvmscope {

[[noreturn]] inline void fail_at(std::size_t column, std::string message) {
  Error error(ErrorKind::usage, std::move(message));
  error.set_column(column);
  throw error;
}

// Runs `body`; an Error that leaves it points at `column`.
template <typename Body>
decltype(auto) point_at(std::size_t column, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    error.set_column(column);
    throw;
  }
}

}  // namespace kvmscope
