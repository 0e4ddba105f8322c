#include "dwarf/debug_file.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "dwarf/dwarf_code.hpp"
#include "dwarf/dwarf_types.hpp"
#include "dwarf/elf_file.hpp"
#include "dwarf/elf_symbols.hpp"

namespace kvmscope {
namespace {

class NoTypes : public TypeSource {
 public:
  const Type* find(TypeKind, std::string_view) const override { return nullptr; }
  std::vector<std::string> names(TypeKind, std::string_view, std::size_t) const override {
    return {};
  }
};

class ElfDebugFile : public DebugFile {
 public:
  ElfDebugFile(const std::string& path, OpenLog* log) : elf_(path, log) {}

  const std::string& path() const override { return elf_.path(); }
  const std::string& build_id() const override { return elf_.build_id(); }
  bool has_types() const override {
    return elf_.section(".debug_info") || elf_.section(".zdebug_info");
  }

  const TypeSource& types() const override {
    const dwarf::DwarfTypes* types = dwarf();
    return types != nullptr ? static_cast<const TypeSource&>(*types) : none_;
  }

  const SymbolSource& symbols() const override { return elf_symbols(); }

  const Type* variable_type(std::string_view name) const override {
    const dwarf::DwarfTypes* types = dwarf();
    return types != nullptr ? types->variable(name) : nullptr;
  }

  const CodeSource& code() const override {
    const dwarf::DwarfTypes* types = dwarf();
    if (!code_ && types != nullptr) code_.emplace(elf_, *types, elf_symbols());
    return code_ ? static_cast<const CodeSource&>(*code_) : no_code();
  }

 private:
  const dwarf::ElfSymbols& elf_symbols() const {
    if (!symbols_) {
      // The kernel calls its modules by C names.
      std::string module = elf_.is_relocatable() ? module_of_file(path()) : "";
      std::replace(module.begin(), module.end(), '-', '_');
      symbols_.emplace(elf_, std::move(module));
    }
    return *symbols_;
  }

  const dwarf::DwarfTypes* dwarf() const {
    if (!types_ && has_types()) types_.emplace(elf_);
    return types_ ? &*types_ : nullptr;
  }

  dwarf::ElfFile elf_;
  NoTypes none_;
  mutable std::optional<dwarf::DwarfTypes> types_;
  mutable std::optional<dwarf::ElfSymbols> symbols_;
  mutable std::optional<dwarf::DwarfCode> code_;
};

}  // namespace

std::unique_ptr<DebugFile> open_debug_file(const std::string& path, OpenLog* log) {
  return std::make_unique<ElfDebugFile>(path, log);
}

std::string module_of_file(const std::string& path) {
  std::string name = std::filesystem::path(path).filename();
  if (name == "vmlinux" || name.starts_with("vmlinux-") || name.starts_with("vmlinux."))
    return "vmlinux";
  const std::size_t end = name.find(".ko");
  if (end == std::string::npos || end == 0) return {};
  const std::string_view suffix = std::string_view(name).substr(end + 3);
  if (!suffix.empty() && suffix.front() != '.') return {};
  name.resize(end);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

}  // namespace kvmscope
