// The one error type: what kind of failure, the message, and where it happened.
#pragma once

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace kvmscope {

// Each kind maps to one exit status (see exit_status).
enum class ErrorKind {
  usage,        // the user's words: unknown command, option, symbol, member, VM, ROOT
  unavailable,  // the target or its debug info cannot be opened, or is of another build
  fault,        // memory that could not be read
  corrupt,      // the kernel's data makes no sense, or has a layout that we do not know
  torn,         // the running kernel changed its data while they were read
  limit,        // so much was read or so long it took as the user allows
  internal,     // a fault of our own
  interrupted,  // Ctrl-C
};

// Whether the target's data are to blame: a walk notes it and goes on.
constexpr bool is_about_data(ErrorKind kind) {
  return kind == ErrorKind::fault || kind == ErrorKind::corrupt || kind == ErrorKind::torn;
}

// The exit status of a program that ended with this kind of error.
int exit_status(ErrorKind kind);

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message);

  ErrorKind kind() const { return kind_; }
  // The first message, without its context.
  const std::string& message() const { return message_; }
  // "reading root of vcpu 3", innermost first.
  const std::vector<std::string>& context() const { return context_; }
  void add_context(std::string line);

  // Where in the user's line the error is (bytes from its start), if it is in one.
  std::optional<std::size_t> column() const { return column_; }
  void set_column(std::size_t column) { column_ = column; }

  // The message and its context on one line: "message (while a, while b)".
  const char* what() const noexcept override { return full_.c_str(); }

 private:
  ErrorKind kind_;
  std::string message_;
  std::vector<std::string> context_;
  std::optional<std::size_t> column_;
  std::string full_;
};

// throw_error(ErrorKind::corrupt, "list at {:#x} has a loop", address);
template <typename... Args>
[[noreturn]] void throw_error(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

// Runs `body`; an Error that leaves it carries the text that `describe` returns.
// `describe` runs only on failure.
template <typename Describe, typename Body>
decltype(auto) with_context(Describe&& describe, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    error.add_context(describe());
    throw;
  }
}

// The fault or corrupt data that `body` met; none when it went well. For a walk that shows
// what it could not read and goes on.
template <typename Body>
std::optional<Error> lost_in(Body&& body) {
  try {
    body();
    return std::nullopt;
  } catch (const Error& error) {
    if (!is_about_data(error.kind())) throw;
    return error;
  }
}

// Whether Ctrl-C ended `body`: for work that is meant to go on until then.
template <typename Body>
bool interrupted_in(Body&& body) {
  try {
    body();
    return false;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::interrupted) throw;
    return true;
  }
}

// The result of `body`, none when it met a fault or corrupt data: for a reader that has
// another place to look. Never to hide a loss from the user.
template <typename Body>
auto if_readable(Body&& body) -> std::optional<decltype(body())> {
  try {
    return body();
  } catch (const Error& error) {
    if (!is_about_data(error.kind())) throw;
    return std::nullopt;
  }
}

}  // namespace kvmscope
