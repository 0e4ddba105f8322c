#include "commands/hex_dump.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t largest_dump = 16 << 20;
constexpr std::uint64_t default_dump = 64;
constexpr std::size_t line_size = 16;

std::string hex_text(Bytes bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes)
    fmt::format_to(std::back_inserter(text), "{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

// Printable ASCII as it is, anything else as a dot.
std::string ascii_text(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    const char letter = std::to_integer<char>(byte);
    text += letter >= ' ' && letter <= '~' ? letter : '.';
  }
  return text;
}

}  // namespace

std::uint64_t dump_size(std::uint64_t start, std::optional<std::uint64_t> given) {
  const std::uint64_t count = given.value_or(default_dump);
  if (count > largest_dump)
    throw_error(ErrorKind::usage, "{} bytes are too many: at most {} at once", count, largest_dump);
  if (count != 0 && start + (count - 1) < start)
    throw_error(ErrorKind::usage, "{} bytes from {:#x} go beyond the last address", count, start);
  return count;
}

void dump_lines(std::uint64_t count, const std::function<void(MutableBytes into)>& read,
                const std::function<void(std::uint64_t offset, Value bytes, Value text)>& line) {
  std::vector<std::byte> bytes(count);
  const Value done = value_or_lost([&]() -> Value {
    read(bytes);
    return {};
  });
  if (std::holds_alternative<Lost>(done)) return line(0, done, Value{});
  for (std::size_t from = 0; from < bytes.size(); from += line_size) {
    const Bytes part = Bytes(bytes).subspan(from, std::min(line_size, bytes.size() - from));
    line(from, hex_text(part), ascii_text(part));
  }
}

std::string byte_groups(const RecordView& record, bool as_numbers) {
  constexpr std::size_t group_size = 16;  // hex digits
  if (record.is_lost("bytes")) return record.text("bytes");
  const std::string digits = record.text("bytes");
  std::string text;
  for (std::size_t group = 0; group < digits.size(); group += group_size) {
    if (group != 0) text += ' ';
    const std::size_t end = std::min(group + group_size, digits.size());
    if (!as_numbers) {
      text.append(digits, group, end - group);
      continue;
    }
    for (std::size_t at = end; at > group; at -= 2) text.append(digits, at - 2, 2);
  }
  return text;
}

View dump_view(bool as_numbers) {
  return {.table = {
              column("ADDRESS", "address"),
              {as_numbers ? "WORDS" : "BYTES", Align::left,
               [as_numbers](const RecordView& record) { return byte_groups(record, as_numbers); }},
              column("TEXT", "text")}};
}

}  // namespace kvmscope
