#include "core/memory/elf_headers.hpp"

#include <elf.h>

#include <algorithm>
#include <string_view>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t no_physical_address = ~0ULL;

// The object at `offset`, none when the file ends before its end.
template <typename T>
std::optional<T> load_checked(Bytes file, std::uint64_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) return std::nullopt;
  return load<T>(file, offset);
}

Elf64_Ehdr read_file_header(Bytes file, const std::string& path) {
  const std::optional<Elf64_Ehdr> header = load_checked<Elf64_Ehdr>(file, 0);
  if (!header) throw_error(ErrorKind::unavailable, "{} is truncated inside its ELF header", path);
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
    throw_error(ErrorKind::unavailable,
                "{} is not a 64-bit little-endian ELF file, so not a dump of an x86-64 kernel",
                path);
  if (header->e_type == ET_EXEC || header->e_type == ET_DYN)
    throw_error(ErrorKind::unavailable, "{} is an ELF executable (a vmlinux?), not a dump", path);
  if (header->e_type == ET_REL)
    throw_error(ErrorKind::unavailable, "{} is an ELF object file (a kernel module?), not a dump",
                path);
  if (header->e_type != ET_CORE)
    throw_error(ErrorKind::unavailable, "{} is an ELF file of type {}, not a core dump", path,
                header->e_type);
  if (header->e_machine != EM_X86_64 && header->e_machine != EM_386)
    throw_error(ErrorKind::unavailable, "{} is a dump of another architecture (ELF machine {})",
                path, header->e_machine);
  return *header;
}

// With PN_XNUM the count is in the first section header.
std::uint64_t program_header_count(Bytes file, const Elf64_Ehdr& header, const std::string& path) {
  if (header.e_phnum != PN_XNUM) return header.e_phnum;
  const std::optional<Elf64_Shdr> section = load_checked<Elf64_Shdr>(file, header.e_shoff);
  if (header.e_shoff == 0 || !section)
    throw_error(ErrorKind::unavailable,
                "{} is truncated: its number of program headers is in a section header that is "
                "not there",
                path);
  return section->sh_info;
}

std::vector<Elf64_Phdr> program_headers(Bytes file, const Elf64_Ehdr& header,
                                        const std::string& path) {
  const std::uint64_t count = program_header_count(file, header, path);
  if (count != 0 && header.e_phentsize != sizeof(Elf64_Phdr))
    throw_error(ErrorKind::unavailable, "{} has program headers of {} bytes instead of {}", path,
                header.e_phentsize, sizeof(Elf64_Phdr));
  // The count has 32 bits at most, so the product cannot overflow.
  if (header.e_phoff > file.size() || file.size() - header.e_phoff < count * sizeof(Elf64_Phdr))
    throw_error(ErrorKind::unavailable, "{} is truncated inside its program headers", path);
  std::vector<Elf64_Phdr> headers(count);
  for (std::size_t i = 0; i < headers.size(); ++i)
    headers[i] = load<Elf64_Phdr>(file, header.e_phoff + i * sizeof(Elf64_Phdr));
  return headers;
}

// The text of the VMCOREINFO note in one PT_NOTE segment.
std::optional<std::string> vmcoreinfo_in(Bytes notes) {
  constexpr std::string_view wanted("VMCOREINFO\0", 11);
  for (std::uint64_t offset = 0;;) {
    const std::optional<Elf64_Nhdr> note = load_checked<Elf64_Nhdr>(notes, offset);
    if (!note) return std::nullopt;
    // Sizes have 32 bits: these sums cannot overflow.
    const std::uint64_t name = offset + sizeof(Elf64_Nhdr);
    const std::uint64_t text = name + align_up(note->n_namesz, 4);
    if (text + note->n_descsz > notes.size()) return std::nullopt;
    const auto* start = reinterpret_cast<const char*>(notes.data());
    if (std::string_view(start + name, note->n_namesz) == wanted) {
      const std::string_view all(start + text, note->n_descsz);
      return std::string(all.substr(0, all.find('\0')));
    }
    offset = text + align_up(note->n_descsz, 4);
  }
}

Bytes part_in_file(Bytes file, std::uint64_t offset, std::uint64_t size) {
  if (offset >= file.size()) return {};
  return file.subspan(offset, std::min<std::uint64_t>(size, file.size() - offset));
}

void add_segment(const Elf64_Phdr& header, ElfHeaders& headers) {
  if (header.p_paddr == no_physical_address) return;
  headers.segments.push_back({{header.p_paddr}, header.p_offset, header.p_filesz, header.p_memsz});
}

// A process's core has virtual addresses only.
void check_kernel(const ElfHeaders& headers, const std::string& path) {
  const auto& segments = headers.segments;
  if (segments.empty())
    throw_error(ErrorKind::unavailable,
                "{} has no memory with physical addresses: not a dump of a kernel", path);
  const bool all_at_zero = std::all_of(segments.begin(), segments.end(),
                                       [](const Segment& it) { return it.start.value == 0; });
  if (segments.size() > 1 && all_at_zero && !headers.vmcoreinfo)
    throw_error(ErrorKind::unavailable, "{} looks like the core of a process, not of a kernel",
                path);
}

void note_truncation(std::uint64_t file_size, ElfHeaders& headers) {
  std::uint64_t wanted = 0;
  for (const Segment& segment : headers.segments)
    if (segment.file_offset + segment.file_bytes >= segment.file_offset)
      wanted = std::max(wanted, segment.file_offset + segment.file_bytes);
    else
      wanted = ~0ULL;
  if (wanted > file_size)
    headers.notes.push_back(fmt::format("truncated: the headers describe {} bytes, the file has {}",
                                        wanted, file_size));
}

}  // namespace

std::vector<Elf64_Phdr> read_program_headers(Bytes file, const std::string& path) {
  return program_headers(file, read_file_header(file, path), path);
}

std::optional<std::string> find_vmcoreinfo(Bytes file, const std::vector<Elf64_Phdr>& headers) {
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type != PT_NOTE) continue;
    std::optional<std::string> text =
        vmcoreinfo_in(part_in_file(file, header.p_offset, header.p_filesz));
    if (text) return text;
  }
  return std::nullopt;
}

ElfHeaders read_elf_headers(Bytes file, const std::string& path) {
  const Elf64_Ehdr header = read_file_header(file, path);
  ElfHeaders headers;
  if (header.e_machine == EM_386)
    headers.notes.push_back(
        "the ELF header says i386 (QEMU writes what CPU 0 ran when it stopped); read as x86-64");
  const std::vector<Elf64_Phdr> programs = program_headers(file, header, path);
  for (const Elf64_Phdr& program : programs)
    if (program.p_type == PT_LOAD) add_segment(program, headers);
  headers.vmcoreinfo = find_vmcoreinfo(file, programs);
  check_kernel(headers, path);
  note_truncation(file.size(), headers);
  return headers;
}

}  // namespace kvmscope
