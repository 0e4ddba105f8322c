// What the walks of containers share: links that cannot be, and errors that name the container.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/bits.hpp"
#include "core/base/error.hpp"
#include "core/memory/reader.hpp"

namespace kvmscope {

// Throws for a link that no container can hold. Where it leads is the reader's question.
inline void check_link(std::uint64_t link, std::string_view what, VirtAddr from) {
  const std::string_view wrong = link < page_size                              ? "NULL"
                                 : link >> 48 == 0xdead                        ? "list poison"
                                 : link == 0x6b6b6b6b6b6b6b6b                  ? "freed memory"
                                 : !is_aligned(link, 8)                        ? "not aligned"
                                 : sign_extend(link, 57) != std::int64_t(link) ? "no address"
                                                                               : "";
  if (!wrong.empty())
    throw_error(ErrorKind::corrupt, "{} {:#x} points to {:#x} ({})", what, from.value, link, wrong);
}

[[noreturn]] inline void throw_too_many(std::string_view what, VirtAddr at, std::uint64_t limit) {
  throw_error(ErrorKind::corrupt, "{} at {:#x} has more than {} nodes", what, at.value, limit);
}

template <typename T>
T read_node(const VirtReader& memory, VirtAddr at, std::string_view what, VirtAddr container) {
  return with_context(
      [&] { return fmt::format("reading a node of the {} at {:#x}", what, container.value); },
      [&] { return memory.value<T>(at); });
}

}  // namespace kvmscope
