// The headers of an ELF core, checked against the size of the file.
#pragma once

#include <elf.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bits.hpp"
#include "core/memory/segment_map.hpp"

namespace kvmscope {

struct ElfHeaders {
  std::vector<Segment> segments;  // PT_LOAD with a physical address, in file order
  std::optional<std::string> vmcoreinfo;
  std::vector<std::string> notes;  // oddities, for the user
};

// The program headers of an ELF core, and the text of the VMCOREINFO note among those segments
// that `file` holds: for a file that is not read as a whole. Throws as read_elf_headers() does.
std::vector<Elf64_Phdr> read_program_headers(Bytes file, const std::string& path);
std::optional<std::string> find_vmcoreinfo(Bytes file, const std::vector<Elf64_Phdr>& headers);

// `path` is for messages only. Throws Error{unavailable}: not an ELF core of a little-endian
// 64-bit machine, not x86, a process's core, headers cut off.
ElfHeaders read_elf_headers(Bytes file, const std::string& path);

}  // namespace kvmscope
