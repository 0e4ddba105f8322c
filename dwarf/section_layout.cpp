#include "dwarf/section_layout.hpp"

#include "core/base/error.hpp"

namespace kvmscope::dwarf {
namespace {

// Between two sections, so that the end of one is not the start of the next.
constexpr std::uint64_t gap = 0x1000;
// More code than this in one file makes no sense, and would overflow when added up.
constexpr std::uint64_t max_code = 1ULL << 40;

bool is_code(const GElf_Shdr& header) {
  return (header.sh_flags & SHF_ALLOC) != 0 && (header.sh_flags & SHF_EXECINSTR) != 0;
}

}  // namespace

std::vector<std::uint64_t> section_starts(const ElfFile& file) {
  std::size_t count = 0, names = 0;
  if (elf_getshdrnum(file.handle(), &count) != 0 || elf_getshdrstrndx(file.handle(), &names) != 0)
    return {};
  std::vector<std::uint64_t> starts(count);
  if (!file.is_relocatable()) return starts;
  std::vector<std::pair<std::size_t, std::uint64_t>> others;
  std::uint64_t next = 0;
  for (std::size_t index = 1; index < count; ++index) {
    GElf_Shdr header;
    if (gelf_getshdr(elf_getscn(file.handle(), index), &header) == nullptr || !is_code(header))
      continue;
    if (header.sh_size > max_code)
      throw_error(ErrorKind::unavailable, "{}: section {} is larger than any code", file.path(),
                  index);
    // By name: a file of debug info only keeps the header of .text, but not its bytes.
    const char* name = elf_strptr(file.handle(), names, header.sh_name);
    if (name != nullptr && std::string_view(name) == ".text" && next == 0)
      next = header.sh_size;
    else
      others.emplace_back(index, header.sh_size);
  }
  for (const auto& [index, size] : others) {
    starts[index] = (next + gap) & ~(gap - 1);
    next = starts[index] + size;
  }
  return starts;
}

}  // namespace kvmscope::dwarf
