// read: memory as it is, by virtual or physical address.

#include <algorithm>

#include "commands/catalogue.hpp"
#include "commands/expressions.hpp"
#include "commands/hex_dump.hpp"
#include "commands/steady.hpp"
#include "core/base/interrupt.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope {
namespace {

// The lines of one page, or of the part of it that was asked for.
template <typename Address>
void read_page(const Reader<Address>& memory, Address at, std::uint64_t count, RowSink& rows) {
  check_interrupt();
  dump_lines(
      count, [&](MutableBytes into) { memory.read(at, into); },
      [&](std::uint64_t offset, Value bytes, Value text) {
        rows.add({{Hex(at + offset), std::move(bytes), std::move(text)}});
      });
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
  const std::uint64_t count = dump_size(address, args.number("COUNT"));
  if (args.has("--phys"))
    read_memory(session.kernel(), session.kernel().physical(), PhysAddr{address}, count, rows);
  else
    read_memory(session.kernel(), session.kernel().memory(), VirtAddr{address}, count, rows);
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
      .view = dump_view(true),
      .modes = {{.option = "--bytes", .columns = columns, .view = dump_view(false)}},
      .examples = {"read &vm_list 16", "rd ffff8b1e0495bac8 256 --bytes", "rd --phys 0x494d000"},
      .run = read_range,
  };
}

}  // namespace kvmscope
