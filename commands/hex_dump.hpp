// Bytes of memory as records, which `read` and `guest read` share.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "commands/output/record.hpp"
#include "commands/output/view.hpp"
#include "core/base/bits.hpp"

namespace kvmscope {

// COUNT of a command line: 64 bytes without one, 16 MiB at most. Throws Error{usage}: too many, or
// beyond the last address.
std::uint64_t dump_size(std::uint64_t start, std::optional<std::uint64_t> count);

// Calls `line` with the offset and the values "bytes" and "text" of each 16 bytes that `read`
// fills in, one lost "bytes" if it throws Error{fault}.
void dump_lines(std::uint64_t count, const std::function<void(MutableBytes into)>& read,
                const std::function<void(std::uint64_t offset, Value bytes, Value text)>& line);

// "bytes" in groups of eight: as little-endian numbers, or in the order of memory.
std::string byte_groups(const RecordView& record, bool as_numbers);
// The table of such records, whose place is in `address`.
View dump_view(bool as_numbers);

}  // namespace kvmscope
