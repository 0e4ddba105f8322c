// The symbol table of one ELF file.
#pragma once

#include <elf.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/types/source.hpp"
#include "dwarf/elf_file.hpp"

namespace kvmscope::dwarf {

struct FunctionSymbol {
  std::string_view name;    // lives as long as the file
  std::size_t section = 0;  // index
  std::uint64_t value = 0;  // as in the table: in a module an offset into its section
  int rank = 0;             // of two at one address the higher describes it better
};

// Addresses are those of link time. In a module (ET_REL) they are offsets into the section that
// the symbol is in, so nearest() answers for .text only. Undefined symbols, files and sections
// are left out. Of several symbols with one name a global one is found, else the first.
class ElfSymbols : public SymbolSource {
 public:
  // `file` must outlive this. `module` goes into each Symbol. A file without a symbol table has
  // no symbols. Throws Error{unavailable} when the table is damaged.
  ElfSymbols(const ElfFile& file, std::string module);

  std::optional<Symbol> find(std::string_view name) const override;
  std::optional<Symbol> nearest(std::uint64_t address) const override;
  std::vector<std::string> names(std::string_view prefix, std::size_t limit) const override;
  // All functions that are defined here.
  std::vector<FunctionSymbol> functions() const;

 private:
  const char* name_of(const Elf64_Sym& symbol) const;
  bool is_named(const Elf64_Sym& symbol) const;
  bool is_place(const Elf64_Sym& symbol) const;
  char type_of(const Elf64_Sym& symbol) const;
  Symbol describe(const Elf64_Sym& symbol) const;
  const Elf64_Sym* scan(std::string_view name) const;
  void build_map() const;
  void build_order() const;

  std::string module_;
  bool is_relocatable_ = false;
  std::size_t text_section_ = 0;
  std::vector<char> section_types_;  // as in nm, upper case, by section index
  std::span<const Elf64_Sym> symbols_;
  std::string_view strings_;  // ends with a NUL
  mutable int scans_ = 0;
  mutable std::unordered_map<std::string_view, const Elf64_Sym*> by_name_;
  mutable std::vector<const Elf64_Sym*> by_address_;
};

}  // namespace kvmscope::dwarf
