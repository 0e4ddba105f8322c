#include "dwarf/elf_file.hpp"

#include <elfutils/libdwfl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "core/base/error.hpp"

namespace kvmscope::dwarf {
namespace {

using namespace std::string_view_literals;

struct Compression {
  std::string_view name;
  std::string_view magic;
};

constexpr std::array compressions = {
    Compression{"xz",
                "\xfd"
                "7zXZ\0"sv},
    Compression{"gzip", "\x1f\x8b"sv},
    Compression{"bzip2", "BZh"sv},
    Compression{"zstd", "\x28\xb5\x2f\xfd"sv},
};

std::string_view compression_of(int fd) {
  std::array<char, 8> start{};
  if (pread(fd, start.data(), start.size(), 0) < 2) return {};
  const std::string_view text(start.data(), start.size());
  for (const Compression& format : compressions)
    if (text.starts_with(format.magic)) return format.name;
  return {};
}

// libdwfl offers to look for a separate debug file; we choose files ourselves.
int no_debug_file(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*,
                  GElf_Word, char**) {
  return -1;
}

const Dwfl_Callbacks dwfl_callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = no_debug_file,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = nullptr,
};

std::string to_hex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

// The GNU build-id note among the notes in `data`; empty when there is none.
std::string build_id_in(Elf_Data* data) {
  GElf_Nhdr note;
  std::size_t name_at = 0;
  std::size_t value_at = 0;
  std::size_t at = 0;
  while (data != nullptr && (at = gelf_getnote(data, at, &note, &name_at, &value_at)) > 0) {
    const auto* bytes = static_cast<const std::byte*>(data->d_buf);
    const bool is_gnu = note.n_namesz == 4 && std::memcmp(bytes + name_at, "GNU", 4) == 0;
    if (is_gnu && note.n_type == NT_GNU_BUILD_ID) return to_hex({bytes + value_at, note.n_descsz});
  }
  return {};
}

}  // namespace

void CloseDwfl::operator()(Dwfl* dwfl) const {
  dwfl_end(dwfl);
}

ElfFile::ElfFile(const std::string& path, OpenLog* log)
    : path_(path), file_(open_read_only(path, log)) {
  struct stat status {};
  if (fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode))
    throw_error(ErrorKind::unavailable, "{} is not a regular file", path_);
  elf_version(EV_CURRENT);
  const std::string_view compression = compression_of(file_.get());
  if (compression.empty())
    open_plain();
  else
    open_compressed(compression);
  check_header();
  build_id_ = read_build_id();
}

void ElfFile::open_plain() {
  own_.reset(elf_begin(file_.get(), ELF_C_READ_MMAP_PRIVATE, nullptr));
  elf_ = own_.get();
  if (elf_ == nullptr)
    throw_error(ErrorKind::unavailable, "{} cannot be read as an ELF file: {}", path_,
                elf_errmsg(-1));
}

void ElfFile::open_compressed(std::string_view format) {
  unpacked_.reset(dwfl_begin(&dwfl_callbacks));
  Dwfl_Module* module = nullptr;
  if (unpacked_) {
    dwfl_report_begin(unpacked_.get());
    module = dwfl_report_offline(unpacked_.get(), path_.c_str(), path_.c_str(), -1);
    dwfl_report_end(unpacked_.get(), nullptr, nullptr);
  }
  GElf_Addr bias = 0;
  if (module != nullptr) elf_ = dwfl_module_getelf(module, &bias);
  if (elf_ == nullptr)
    throw_error(ErrorKind::unavailable,
                "{} is compressed ({}) and libdw could not unpack it ({}): unpack it by hand",
                path_, format, dwfl_errmsg(-1));
}

void ElfFile::check_header() {
  GElf_Ehdr header;
  if (elf_kind(elf_) != ELF_K_ELF || gelf_getehdr(elf_, &header) == nullptr)
    throw_error(ErrorKind::unavailable, "{} is not an ELF file", path_);
  if (header.e_machine != EM_X86_64 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB)
    throw_error(ErrorKind::unavailable, "{} is not an ELF file of x86-64", path_);
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf_, &names) != 0 || elf_getscn(elf_, names) == nullptr)
    throw_error(ErrorKind::unavailable, "{} has no section table: is it cut short? ({})", path_,
                elf_errmsg(-1));
  is_relocatable_ = header.e_type == ET_REL;
}

std::optional<Section> ElfFile::section(std::string_view name) const {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf_, &names) != 0) return std::nullopt;
  Section found;
  while ((found.handle = elf_nextscn(elf_, found.handle)) != nullptr) {
    if (gelf_getshdr(found.handle, &found.header) == nullptr) continue;
    const char* text = elf_strptr(elf_, names, found.header.sh_name);
    if (text == nullptr || name != text) continue;
    if (found.header.sh_type == SHT_NOBITS || found.header.sh_size == 0) return std::nullopt;
    return found;
  }
  return std::nullopt;
}

MutableBytes ElfFile::data(const Section& section) const {
  const Elf_Data* data = elf_rawdata(section.handle, nullptr);
  if (data == nullptr || (data->d_buf == nullptr && data->d_size != 0))
    throw_error(ErrorKind::unavailable, "{}: section {} cannot be read: {}", path_,
                elf_ndxscn(section.handle), elf_errmsg(-1));
  return {static_cast<std::byte*>(data->d_buf), data->d_size};
}

std::string ElfFile::read_build_id() const {
  // Modules and debug files have sections; vmlinux keeps all its notes in one (.notes).
  Elf_Scn* at = nullptr;
  while ((at = elf_nextscn(elf_, at)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(at, &header) == nullptr || header.sh_type != SHT_NOTE) continue;
    std::string id = build_id_in(elf_getdata(at, nullptr));
    if (!id.empty()) return id;
  }
  std::size_t count = 0;
  if (elf_getphdrnum(elf_, &count) != 0) return {};
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf_, static_cast<int>(i), &header) == nullptr || header.p_type != PT_NOTE)
      continue;
    const Elf_Type type = header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
    std::string id = build_id_in(elf_getdata_rawchunk(
        elf_, static_cast<std::int64_t>(header.p_offset), header.p_filesz, type));
    if (!id.empty()) return id;
  }
  return {};
}

}  // namespace kvmscope::dwarf
