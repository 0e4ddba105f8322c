// The words for memory that a dump does not have: the kinds differ, and so do the words.
#pragma once

#include <string_view>

#include "core/base/error.hpp"
#include "core/memory/reader.hpp"

namespace kvmscope {

enum class Missing {
  left_out,   // ELF: the header names the memory, the file does not hold it
  excluded,   // kdump: the bitmaps say that the page was not written
  nowhere,    // the dump's headers know no such memory
  truncated,  // it was written behind what is now the end of the file
};

constexpr std::string_view words(Missing kind) {
  switch (kind) {
    case Missing::left_out:
      return "left out of this dump (excluded or zero: the format does not say)";
    case Missing::excluded: return "page excluded from this dump";
    case Missing::nowhere: return "no such memory in this dump";
    case Missing::truncated: return "truncated (beyond the end of the dump file)";
  }
  return "";
}

[[noreturn]] inline void throw_missing(PhysAddr at, Missing kind) {
  throw_error(ErrorKind::fault, "physical address {:#x}: {}", at.value, words(kind));
}

}  // namespace kvmscope
