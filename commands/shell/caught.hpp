// For those who run command lines: what a command throws, as a value.
#pragma once

#include <new>
#include <optional>

#include "core/base/error.hpp"

namespace kvmscope {

// Runs `body`; what it throws comes back, whatever it is.
template <typename Body>
std::optional<Error> caught(Body&& body) {
  try {
    body();
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(ErrorKind::internal, "out of memory");
  } catch (const std::exception& error) {
    return Error(ErrorKind::internal, fmt::format("internal error: {}", error.what()));
  }
}

}  // namespace kvmscope
