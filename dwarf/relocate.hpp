// Relocation of the debug sections of a module (ET_REL).
#pragma once

#include <string_view>

#include "dwarf/elf_file.hpp"

namespace kvmscope::dwarf {

// Applies `.rela` + `name` to the section `name` of a relocatable file, in our private copy of it.
// References between debug sections come out right, addresses of code as section_starts() lays it
// out, addresses of data as offsets into their section. Nothing to do: does nothing. Doing it
// twice changes nothing. Throws Error{unavailable} on entries outside the section and unknown
// types.
void relocate(const ElfFile& file, std::string_view name);

}  // namespace kvmscope::dwarf
