// The loaded modules and their symbols, from the kernel's own list.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/fields.hpp"
#include "core/types/source.hpp"

namespace kvmscope {

// struct module, include/linux/module.h.
struct ModuleFields : FieldGroup {
  explicit ModuleFields(const Types& types) : FieldGroup(types, "struct module") {}
  Field state = field({"state"});
  Field list = field({"list"});
  Field name = field({"name"});
  Field text_base = optional({
      "mem[0].base",
      "core_layout.base",  // until ac3b43283923 (v6.4)
  });
  Field text_size = optional({"mem[0].size", "core_layout.size"});
  // MOD_RODATA is 2; before v6.4 read-only data lies behind the text of the one layout.
  Field rodata_base = optional({"mem[2].base", "core_layout.base"});
  Field rodata_size = optional({"mem[2].size", "core_layout.ro_size"});
  Field kallsyms = optional({"kallsyms"});
};

// struct mod_kallsyms, include/linux/module.h.
struct ModKallsymsFields : FieldGroup {
  explicit ModKallsymsFields(const Types& types) : FieldGroup(types, "struct mod_kallsyms") {}
  Field symtab = field({"symtab"});
  Field num_symtab = field({"num_symtab"});
  Field strtab = field({"strtab"});
  Field typetab = optional({"typetab"});
};

struct Module {
  std::string name;  // with underscores: "kvm_amd"
  VirtAddr address;  // struct module
  VirtAddr text;     // start of its text
  std::uint64_t text_size = 0;
  VirtAddr rodata;
  std::uint64_t rodata_size = 0;
  VirtAddr kallsyms;  // struct mod_kallsyms; 0: none
};

// Absolute addresses of one module's symbols: functions, objects, local ones too.
class ModuleSymbols : public SymbolSource {
 public:
  // Reads the whole table. Throws Error{corrupt} on counts that make no sense, Error{fault}.
  ModuleSymbols(const ModKallsymsFields& fields, const VirtReader& memory, const Module& module);

  std::optional<Symbol> find(std::string_view name) const override;
  std::optional<Symbol> nearest(std::uint64_t address) const override;
  std::vector<std::string> names(std::string_view prefix, std::size_t limit) const override;

 private:
  struct Entry {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    std::uint32_t name = 0;  // in names_
    char type = '?';
  };
  std::string_view name(const Entry& entry) const { return names_.data() + entry.name; }
  Symbol symbol(const Entry& entry) const;

  // As the module has them: a handful is asked for, so that an index would cost more than it saves.
  std::string module_;
  std::vector<Entry> entries_;
  std::vector<char> names_;
};

// Walks `modules` (the list_head at `head`). Throws Error{unavailable} when names and links make
// no sense with this layout: the debug file is of another build.
std::vector<Module> read_modules(const ModuleFields& fields, const VirtReader& memory,
                                 VirtAddr head);

// "kvm-amd" and "kvm_amd" are one module: files use either, the kernel the latter. nullptr: it is
// not loaded.
const Module* find_module(const std::vector<Module>& modules, std::string_view name);

// The build-id in the module's own read-only memory, hex; empty when no note is found there.
std::string module_build_id(const VirtReader& memory, const Module& module);

}  // namespace kvmscope
