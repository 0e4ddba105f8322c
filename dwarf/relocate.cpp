#include "dwarf/relocate.hpp"

#include <span>

#include "core/base/error.hpp"
#include "dwarf/section_layout.hpp"

namespace kvmscope::dwarf {
namespace {

// The entries of a table, where they lie in the file; the format aligns them to 8 bytes.
template <typename Entry>
std::span<const Entry> table(const ElfFile& file, const Section& section) {
  const Bytes bytes = file.data(section);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(Entry) != 0)
    throw_error(ErrorKind::unavailable, "{}: section {} is misaligned", file.path(),
                elf_ndxscn(section.handle));
  return {reinterpret_cast<const Entry*>(bytes.data()), bytes.size() / sizeof(Entry)};
}

// Bytes that a relocation writes; 0: none (thread-local offsets mean nothing to us).
unsigned width_of(const ElfFile& file, std::uint32_t type) {
  switch (type) {
    case R_X86_64_NONE:
    case R_X86_64_DTPOFF32:
    case R_X86_64_DTPOFF64: return 0;
    case R_X86_64_32:
    case R_X86_64_32S: return 4;
    case R_X86_64_64: return 8;
    default:
      throw_error(ErrorKind::unavailable, "{}: relocation type {} in debug info is not known",
                  file.path(), type);
  }
}

}  // namespace

void relocate(const ElfFile& file, std::string_view name) {
  const std::optional<Section> target = file.section(name);
  const std::optional<Section> entries = file.section(fmt::format(".rela{}", name));
  const std::optional<Section> symbol_table = file.section(".symtab");
  if (!file.is_relocatable() || !target || !entries || !symbol_table) return;

  const MutableBytes bytes = file.data(*target);
  const auto symbols = table<Elf64_Sym>(file, *symbol_table);
  const std::vector<std::uint64_t> starts = section_starts(file);
  for (const Elf64_Rela& entry : table<Elf64_Rela>(file, *entries)) {
    const unsigned width = width_of(file, ELF64_R_TYPE(entry.r_info));
    const std::uint64_t symbol = ELF64_R_SYM(entry.r_info);
    if (width == 0) continue;
    if (entry.r_offset > bytes.size() || bytes.size() - entry.r_offset < width ||
        symbol >= symbols.size())
      throw_error(ErrorKind::unavailable, "{}: a relocation of {} points outside of it",
                  file.path(), name);
    // Special indexes (absolute, undefined) are beyond the table of sections.
    const std::size_t section = symbols[symbol].st_shndx;
    const std::uint64_t value = symbols[symbol].st_value +
                                static_cast<std::uint64_t>(entry.r_addend) +
                                (section < starts.size() ? starts[section] : 0);
    std::memcpy(bytes.data() + entry.r_offset, &value, width);
  }
}

}  // namespace kvmscope::dwarf
