// One ELF file, opened with libelf: its sections and its build-id.
#pragma once

#include <gelf.h>
#include <libelf.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bits.hpp"
#include "core/base/file.hpp"

struct Dwfl;

namespace kvmscope::dwarf {

struct Section {
  Elf_Scn* handle = nullptr;
  GElf_Shdr header{};
};

struct CloseElf {
  void operator()(Elf* elf) const { elf_end(elf); }
};
struct CloseDwfl {
  void operator()(Dwfl* dwfl) const;
};

// x86-64 only. Sections are mapped privately: writing to them (relocation) never reaches the file.
class ElfFile {
 public:
  // Reads .xz, .gz and .bz2 too where libdw was built with them. Throws Error{unavailable} with
  // the path: no such file, not an ELF file of x86-64, cut short.
  explicit ElfFile(const std::string& path, OpenLog* log = nullptr);

  const std::string& path() const { return path_; }
  Elf* handle() const { return elf_; }
  // ET_REL, as modules are: symbol values are offsets into sections, debug sections need
  // relocation.
  bool is_relocatable() const { return is_relocatable_; }
  // Hex, lower case; empty: the file has none.
  const std::string& build_id() const { return build_id_; }

  // The section of that name that has bytes in this file; none in a file where it was stripped.
  std::optional<Section> section(std::string_view name) const;
  // The bytes of a section as they are now: relocated or decompressed if that was done.
  // Throws Error{unavailable} when they reach beyond the file.
  MutableBytes data(const Section& section) const;

 private:
  void open_plain();
  void open_compressed(std::string_view format);
  void check_header();
  std::string read_build_id() const;

  std::string path_;
  FileDescriptor file_;
  std::unique_ptr<Elf, CloseElf> own_;         // of a plain file
  std::unique_ptr<Dwfl, CloseDwfl> unpacked_;  // owner of the Elf of a compressed file
  Elf* elf_ = nullptr;
  bool is_relocatable_ = false;
  std::string build_id_;
};

}  // namespace kvmscope::dwarf
