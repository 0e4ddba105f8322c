// One kernel, in a dump or running: its memory, symbols, modules and types.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/debug_info.hpp"
#include "core/kernel/kallsyms.hpp"
#include "core/kernel/live_system.hpp"
#include "core/kernel/modules.hpp"
#include "core/kernel/vmcoreinfo.hpp"
#include "core/memory/dump.hpp"
#include "core/memory/steady.hpp"
#include "core/paging/address_space.hpp"

namespace kvmscope {

// By name, with addresses at link time; 0: there is none of that name.
using UsualSymbols = std::map<std::string, std::uint64_t, std::less<>>;
// What start-up and most commands ask vmlinux for, of its debug file.
UsualSymbols usual_symbols(const SymbolSource& vmlinux);

class Kernel {
 public:
  // Reads VMCOREINFO and nothing else; the rest on first use. Of the kernel that runs, symbols and
  // modules too, since only root can. Keeps both references. Throws Error{unavailable} when the
  // dump has no VMCOREINFO.
  Kernel(const Dump& dump, const DebugFinder& finder);
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  ~Kernel();

  const Dump& dump() const { return dump_; }
  const VmCoreInfo& vmcoreinfo() const { return vmcoreinfo_; }
  const PhysReader& physical() const { return physical_; }
  // Kernel virtual memory: through the kernel's own page tables, or as the target maps it.
  const VirtReader& memory() const { return memory_; }
  // What memory() is when the kernel runs: what is read through it can be checked afterwards.
  // nullptr: a dump, which stands still.
  const SteadyMemory* steady() const { return steady_ ? &*steady_ : nullptr; }
  // Of the kernel that runs; nullptr: a dump.
  const LiveSystem* live() const { return live_.get(); }
  const DebugInfo& debug_info() const { return debug_info_; }
  // Of the debug files, for expressions; fields are found in layout_types().
  const Types& types() const { return debug_info_.types(); }
  const Types& layout_types() const { return debug_info_.layout_types(); }

  // Symbols: of vmlinux, then of every loaded module (or the one named).
  std::optional<Symbol> find_symbol(std::string_view name) const;
  std::optional<Symbol> find_symbol(std::string_view module, std::string_view name) const;
  // Throws Error{usage} when there is none.
  Symbol symbol(std::string_view name) const;
  std::optional<Symbol> symbol_at(std::uint64_t address) const;
  std::vector<std::string> symbol_names(std::string_view prefix, std::size_t limit) const;
  // The type of a global variable, from kvm.ko or vmlinux; nullptr when neither says.
  const Type* variable_type(std::string_view name) const;
  // Where vmlinux's symbols come from: "vmlinux", "kallsyms", "System.map", "/proc/kallsyms"; ""
  // from nowhere.
  std::string_view symbol_origin() const;
  // Whether start-up finds what it needs without them: a layout knows it.
  bool knows_symbols() const;
  // Empty where there are no symbols.
  UsualSymbols usual_symbols() const;

  const std::vector<Module>& modules() const;
  // Asks the servers that may be asked for kvm's files, before the right to write a cache is given
  // up.
  void fetch_debug_info() const;
  const Module* module(std::string_view name) const;  // nullptr: not loaded
  // Of "vmlinux" or a loaded module, hex; empty: not found. Throws what reading it throws.
  std::string build_id(std::string_view module) const;

  // The direct map of all RAM (Documentation/arch/x86/x86_64/mm.rst).
  VirtAddr direct_map(PhysAddr address) const { return page_offset_base() + address.value; }
  // The physical address behind a direct-map address; none when it lies outside.
  std::optional<PhysAddr> direct_phys(VirtAddr address) const;
  // struct page of a frame, in the vmemmap array.
  VirtAddr page_struct(Pfn frame, std::uint64_t struct_size) const;

 private:
  const VirtReader& lay_out_memory();
  VirtAddr page_offset_base() const;
  std::uint64_t direct_map_size() const;
  std::optional<Symbol> find_in_vmlinux(std::string_view name) const;
  const SymbolSource* find_vmlinux_symbols() const;
  const SymbolSource& vmlinux_symbols() const;
  const ModuleSymbols* module_symbols(const Module& module) const;
  const ModuleSymbols* symbols_of(const Module* module) const;
  const ModuleSymbols* symbols_in_memory(std::string_view module) const;
  std::string known_build_id(std::string_view module) const;
  std::shared_ptr<KernelBtf> open_btf() const;
  bool absolute_symbols() const;
  std::vector<Module> find_modules() const;
  std::string wrong_build(const std::vector<Module>& modules) const;
  std::uint64_t run_time(const Symbol& symbol) const;
  std::uint64_t base_variable(std::string_view name, std::uint64_t level4,
                              std::uint64_t level5) const;

  const Dump& dump_;
  const DebugFinder& finder_;
  VmCoreInfo vmcoreinfo_;
  mutable std::optional<AddressSpace> address_space_;  // none: the target maps its memory itself
  std::optional<SteadyMemory> steady_;                 // none: a dump
  std::optional<DirectMapMemory> direct_map_memory_;   // over steady_
  const VirtReader& memory_;
  const PhysReader& physical_;
  std::unique_ptr<LiveSystem> live_;
  DebugInfo debug_info_;
  mutable std::optional<std::vector<Module>> modules_;  // of the kernel's own list
  mutable bool cannot_read_modules_ = false;            // of a kernel that runs
  mutable std::map<std::string, std::unique_ptr<ModuleSymbols>, std::less<>> module_symbols_;
  mutable std::unique_ptr<SymbolSource> kallsyms_;
  mutable const SymbolSource* symbols_ = nullptr;
  mutable std::string_view symbol_origin_;
  mutable std::optional<std::uint64_t> page_offset_base_;
  mutable std::optional<std::uint64_t> direct_map_size_;
  mutable std::optional<std::uint64_t> vmemmap_base_;
};

}  // namespace kvmscope
