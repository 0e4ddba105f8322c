// Addresses for the code sections of a module, which has none before it is loaded.
#pragma once

#include <cstdint>
#include <vector>

#include "dwarf/elf_file.hpp"

namespace kvmscope::dwarf {

// Where each section starts, by its index. In a relocatable file .text starts at 0 and the other
// sections with code follow it, so that no two addresses of code are the same; everything else
// starts at 0: data, and the debug sections, which refer to each other by offset. All 0 in a
// linked file, whose symbols have addresses.
std::vector<std::uint64_t> section_starts(const ElfFile& file);

}  // namespace kvmscope::dwarf
