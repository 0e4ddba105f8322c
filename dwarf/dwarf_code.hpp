// The code of one debug file, read from DWARF when it is asked for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types/code.hpp"
#include "dwarf/code_index.hpp"
#include "dwarf/code_location.hpp"
#include "dwarf/code_symbols.hpp"
#include "dwarf/dwarf_types.hpp"
#include "dwarf/elf_file.hpp"
#include "dwarf/elf_symbols.hpp"

namespace kvmscope::dwarf {

// Ids of blocks are offsets into .debug_info. Errors are Error{unavailable} that names the file.
class DwarfCode : public CodeSource {
 public:
  // All must outlive this; `types` are of `file`. Relocates what only code needs.
  DwarfCode(const ElfFile& file, const DwarfTypes& types, const ElfSymbols& symbols);
  DwarfCode(const DwarfCode&) = delete;
  DwarfCode& operator=(const DwarfCode&) = delete;

  std::vector<CodeBlock> copies(std::string_view name) const override;
  std::vector<CodeBlock> inlined(const CodeBlock& block, std::string_view name) const override;
  std::vector<CodeCall> calls(const CodeBlock& block, std::string_view callee) const override;
  std::vector<CodeBlock> blocks_at(std::uint64_t address) const override;
  std::vector<LinePlace> lines(std::string_view file, unsigned line) const override;
  std::vector<unsigned> lines_near(std::string_view file, unsigned line,
                                   std::size_t limit) const override;
  std::string line_at(std::uint64_t address) const override;
  std::vector<CodeVariable> variables(std::uint64_t address) const override;
  CodePlace place(std::uint64_t address) const override { return symbols_.place(address); }
  std::vector<std::string> functions(std::string_view prefix, std::size_t limit) const override;

 private:
  const CodeIndex& index() const;
  Die die(std::uint64_t offset) const { return die_at(types_.handle(), offset); }
  std::optional<CodeBlock> block(const Die& die, std::string_view inside) const;
  std::vector<CodeBlock> inlined_into(const Die& die, std::string_view inside,
                                      std::string_view name) const;
  void collect_variables(const Die& outer, std::string_view function, const Locations& locations,
                         std::uint64_t address, std::vector<CodeVariable>& found,
                         unsigned depth = 0) const;
  // Every error of `body` names the file.
  template <typename Body>
  decltype(auto) reading(Body&& body) const;

  const ElfFile& file_;
  const DwarfTypes& types_;
  CodeSymbols symbols_;
  Dwarf_CFI* frames_ = nullptr;  // belongs to the Dwarf
  mutable std::optional<CodeIndex> index_;
};

}  // namespace kvmscope::dwarf
