// Names for addresses of code that the kernel understands: SYMBOL+OFFSET.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/types/code.hpp"
#include "dwarf/elf_symbols.hpp"

namespace kvmscope::dwarf {

class CodeSymbols {
 public:
  // `symbols` must outlive this. `starts`: see section_starts().
  CodeSymbols(const ElfSymbols& symbols, const std::vector<std::uint64_t>& starts);

  // By the function that holds the address. Where another function has the same name, the kernel
  // would take whichever comes first: then by the nearest one before it, in the same section,
  // whose name is its own.
  CodePlace place(std::uint64_t address) const;

 private:
  struct Entry {
    std::uint64_t address = 0;
    std::size_t section = 0;
    std::string_view name;
    bool is_unique = true;
    int rank = 0;
  };
  std::vector<Entry> entries_;  // by address; the best last where several have the same
};

}  // namespace kvmscope::dwarf
