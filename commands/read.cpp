// read: memory as it is, by virtual or physical address.

#include <algorithm>

#include "commands/catalogue.hpp"
#include "commands/expressions.hpp"
#include "commands/steady.hpp"
#include "core/base/interrupt.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t default_count = 64;
constexpr std::uint64_t largest_count = 16 << 20;
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

// The lines of one page, or of the part of it that was asked for.
template <typename Address>
void read_page(const Reader<Address>& memory, Address at, std::uint64_t count, RowSink& rows) {
  check_interrupt();
  std::vector<std::byte> page(count);
  const Value read = value_or_lost([&]() -> Value {
    memory.read(at, page);
    return {};
  });
  if (std::holds_alternative<Lost>(read)) {
    rows.add({{Hex(at), read, Value{}}});
    return;
  }
  for (std::size_t from = 0; from < page.size(); from += line_size) {
    const Bytes line = Bytes(page).subspan(from, std::min(line_size, page.size() - from));
    rows.add({{Hex(at + from), hex_text(line), ascii_text(line)}});
  }
}

// One read per page, so that a page that is missing costs only its own bytes.
template <typename Address>
void read_memory(const Kernel& kernel, const Reader<Address>& memory, Address start,
                 std::uint64_t count, RowSink& rows) {
  for (std::uint64_t done = 0; done < count;) {
    const Address at = start + done;
    const std::uint64_t size = std::min(count - done, page_size - (at.value & page_offset_mask));
    steadily(kernel, rows,
             {.make = [&](std::size_t) { read_page(memory, at, size, rows); },
              .what = [&](std::size_t) { return fmt::format("the page at {:#x}", at.value); }});
    done += size;
  }
}

void read_range(Session& session, const Arguments& args, RowSink& rows) {
  const std::uint64_t address = evaluate_address(session, args.text("ADDRESS").value());
  const std::uint64_t count = args.number("COUNT").value_or(default_count);
  if (count > largest_count)
    throw_error(ErrorKind::usage, "{} bytes are too many: at most {} at once", count,
                largest_count);
  if (count != 0 && address + (count - 1) < address)
    throw_error(ErrorKind::usage, "{} bytes from {:#x} go beyond the last address", count, address);
  if (args.has("--phys"))
    read_memory(session.kernel(), session.kernel().physical(), PhysAddr{address}, count, rows);
  else
    read_memory(session.kernel(), session.kernel().memory(), VirtAddr{address}, count, rows);
}

// The bytes in groups of eight: as little-endian numbers, or in the order of memory.
std::string groups(const RecordView& record, bool as_numbers) {
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

View view(bool as_numbers) {
  return {.table = {column("ADDRESS", "address"),
                    {as_numbers ? "WORDS" : "BYTES", Align::left,
                     [as_numbers](const RecordView& record) { return groups(record, as_numbers); }},
                    column("TEXT", "text")}};
}

}  // namespace

Command read() {
  using K = ColumnKind;
  const std::vector<Column> columns = {
      {"address", K::hex, "of the first byte"},
      {"bytes", K::text, "16 bytes in hex, in the order of memory; lost: all of a missing page"},
      {"text", K::text, "the same as ASCII, a dot for anything else"}};
  return {
      .names = {"read", "rd"},
      .summary = "read memory: a hex dump",
      .details =
          "The table shows numbers of 8 bytes, as the processor would load them. With\n"
          "--bytes it shows the bytes in the order in which they lie in memory.",
      .arguments = {{"ADDRESS", ArgumentKind::expression,
                     "a C expression: ffff8b1e0495bac8, &vm_list; in parentheses if it has blanks"},
                    {"COUNT", ArgumentKind::number, "bytes, at most 16 MiB (64)", true}},
      .options = {{"--phys", "", ArgumentKind::text, "the address is a physical one"},
                  {"--bytes", "", ArgumentKind::text, "the order of memory in the table"}},
      .columns = columns,
      .view = view(true),
      .modes = {{.option = "--bytes", .columns = columns, .view = view(false)}},
      .examples = {"read &vm_list 16", "rd ffff8b1e0495bac8 256 --bytes", "rd --phys 0x494d000"},
      .run = read_range,
  };
}

}  // namespace kvmscope
