// Arguments of one command line, and numbers as users write them.

#include <algorithm>
#include <cctype>
#include <charconv>

#include "commands/command.hpp"
#include "core/base/error.hpp"

namespace kvmscope {
namespace {

constexpr std::size_t address_digits = 16;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isxdigit(c) != 0; });
}

}  // namespace

std::uint64_t parse_number(std::string_view text) {
  const bool has_prefix = text.starts_with("0x") || text.starts_with("0X");
  const bool is_address = !has_prefix && text.size() == address_digits && is_hex(text);
  const std::string_view digits = has_prefix ? text.substr(2) : text;
  std::uint64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto result =
      std::from_chars(digits.data(), end, value, has_prefix || is_address ? 16 : 10);
  if (result.ec == std::errc::result_out_of_range)
    throw_error(ErrorKind::usage, "'{}' does not fit into 64 bits", text);
  if (result.ec != std::errc() || result.ptr != end)
    throw_error(ErrorKind::usage, "'{}' is not a number: write 0x…, decimal, or 16 hex digits",
                text);
  return value;
}

std::chrono::nanoseconds parse_seconds(std::string_view text) {
  constexpr double shortest = 0.001;
  constexpr double longest = 100.0 * 365 * 24 * 3600;
  double seconds = 0;
  const auto result =
      std::from_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed);
  const bool is_number = result.ec == std::errc() && result.ptr == text.data() + text.size();
  // A comparison with "not a number" is false.
  if (!is_number || !(seconds >= shortest && seconds <= longest))
    throw_error(ErrorKind::usage, "'{}' is not a number of seconds: write 2 or 0.5", text);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

std::optional<std::string> Arguments::text(std::string_view name) const {
  const auto found = values.find(name);
  if (found == values.end() || found->second.empty()) return std::nullopt;
  // The last one counts when an option is given twice.
  return found->second.back();
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

bool Arguments::has(std::string_view option) const {
  return values.contains(option);
}

std::optional<std::string> Arguments::option(std::string_view name) const {
  return text(name);
}

std::size_t Arguments::start(std::string_view name, std::size_t index) const {
  const auto found = starts.find(name);
  return found != starts.end() && index < found->second.size() ? found->second[index] : 0;
}

std::optional<std::chrono::nanoseconds> Arguments::seconds(std::string_view name) const {
  const std::optional<std::string> found = text(name);
  return found ? std::optional(parse_seconds(*found)) : std::nullopt;
}

std::optional<std::uint64_t> Arguments::number(std::string_view name) const {
  const std::optional<std::string> found = text(name);
  return found ? std::optional(parse_number(*found)) : std::nullopt;
}

}  // namespace kvmscope
