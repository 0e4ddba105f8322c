// The symbols of a kernel: where they come from, and where they are while it runs.

#include <algorithm>

#include "core/base/error.hpp"
#include "core/kernel/kernel.hpp"
#include "core/kernel/usual_symbols.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t kernel_image_base = 0xffffffff80000000;

// A pass over kallsyms finds all of them; where there are no debug files BTF's are wanted, too.
std::vector<std::string> first_symbol_names() {
  std::vector<std::string> names = usual_symbol_names();
  names.insert(names.end(), KernelBtf::symbol_names.begin(), KernelBtf::symbol_names.end());
  return names;
}

}  // namespace

const std::vector<std::string>& usual_symbol_names() {
  static const std::vector<std::string> names = {
      "modules", "page_offset_base", "vmemmap_base", "physical_mask", "empty_zero_page", "vm_list"};
  return names;
}

UsualSymbols usual_symbols(const SymbolSource& vmlinux) {
  UsualSymbols symbols;
  for (const std::string& name : usual_symbol_names()) {
    const std::optional<Symbol> found = vmlinux.find(name);
    symbols.emplace(name, found ? found->address : 0);
  }
  return symbols;
}

// kallsyms holds run-time addresses, files hold link-time ones.
bool Kernel::absolute_symbols() const {
  return live_ != nullptr || kallsyms_ != nullptr;
}

std::uint64_t Kernel::run_time(const Symbol& symbol) const {
  // Per-cpu symbols are offsets and do not move.
  if (symbol.address < kernel_image_base) return symbol.address;
  return symbol.address + vmcoreinfo_.kernel_offset();
}

const SymbolSource* Kernel::find_vmlinux_symbols() const {
  if (symbols_ != nullptr) return symbols_;
  if (live_ != nullptr) {
    symbol_origin_ = "/proc/kallsyms";
    return symbols_ = &live_->symbols();
  }
  // A file without a matching build-id would give wrong addresses: the finder refuses it.
  const DebugFile* file = vmcoreinfo_.build_id().empty() ? nullptr : debug_info_.file("vmlinux");
  if (file != nullptr) {
    symbols_ = &file->symbols();
    symbol_origin_ = "vmlinux";
  } else if (Kallsyms::available(vmcoreinfo_)) {
    kallsyms_ = std::make_unique<Kallsyms>(vmcoreinfo_, memory_, first_symbol_names());
    symbols_ = kallsyms_.get();
    symbol_origin_ = "kallsyms";
  } else if (finder_.system_map() != nullptr) {
    symbols_ = finder_.system_map();
    symbol_origin_ = "System.map";
  }
  return symbols_;
}

const SymbolSource& Kernel::vmlinux_symbols() const {
  const SymbolSource* symbols = find_vmlinux_symbols();
  if (symbols == nullptr)
    throw_error(ErrorKind::unavailable,
                "no symbols for kernel {}: its VMCOREINFO does not name kallsyms (before 6.0); "
                "give its vmlinux or System.map with -s",
                vmcoreinfo_.release());
  return *symbols;
}

bool Kernel::knows_symbols() const {
  return debug_info_.layout() != nullptr &&
         debug_info_.layout()->symbol(usual_symbol_names().front()).has_value();
}

UsualSymbols Kernel::usual_symbols() const {
  UsualSymbols symbols;
  if (!knows_symbols() && find_vmlinux_symbols() == nullptr) return symbols;
  for (const std::string& name : usual_symbol_names()) {
    const std::optional<Symbol> found = find_symbol("vmlinux", name);
    const bool moves = found && found->address >= kernel_image_base;
    symbols.emplace(name, found ? found->address - (moves ? vmcoreinfo_.kernel_offset() : 0) : 0);
  }
  return symbols;
}

std::string_view Kernel::symbol_origin() const {
  find_vmlinux_symbols();
  return symbol_origin_;
}

const ModuleSymbols* Kernel::symbols_of(const Module* module) const {
  return module != nullptr ? module_symbols(*module) : nullptr;
}

const ModuleSymbols* Kernel::module_symbols(const Module& module) const {
  const auto known = module_symbols_.find(module.name);
  if (known != module_symbols_.end()) return known->second.get();
  std::unique_ptr<ModuleSymbols> symbols;
  if (module.kallsyms.value != 0) {
    const ModKallsymsFields fields(layout_types());
    symbols = std::make_unique<ModuleSymbols>(fields, memory_, module);
  }
  return module_symbols_.emplace(module.name, std::move(symbols)).first->second.get();
}

std::optional<Symbol> Kernel::find_in_vmlinux(std::string_view name) const {
  const LayoutSource* layout = debug_info_.layout();
  std::optional<Symbol> found = layout != nullptr ? layout->symbol(name) : std::nullopt;
  const bool is_known = found.has_value();
  if (is_known && found->address == 0) return std::nullopt;
  if (!is_known)
    found =
        live_ != nullptr ? live_->symbols().find("vmlinux", name) : vmlinux_symbols().find(name);
  if (found && (is_known || !absolute_symbols())) found->address = run_time(*found);
  return found;
}

std::optional<Symbol> Kernel::find_symbol(std::string_view module, std::string_view name) const {
  if (module == "vmlinux") return find_in_vmlinux(name);
  const bool has_list = live_ == nullptr;  // of modules, with where their symbols are
  const ModuleSymbols* symbols = nullptr;
  if (has_list)
    symbols = symbols_of(this->module(module));
  else if (knows_symbols())
    symbols = symbols_in_memory(module);
  if (symbols != nullptr) return symbols->find(name);
  return has_list ? std::nullopt : live_->symbols().find(module, name);
}

// While the kernel runs: its list of modules and their tables are read faster than a hundred
// thousand lines of /proc/kallsyms. nullptr: that did not go well, or the module is not there.
const ModuleSymbols* Kernel::symbols_in_memory(std::string_view module) const {
  if (cannot_read_modules_) return nullptr;
  try {
    if (!modules_) modules_ = find_modules();
    return symbols_of(find_module(*modules_, module));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    cannot_read_modules_ = true;
    return nullptr;
  }
}

std::optional<Symbol> Kernel::find_symbol(std::string_view name) const {
  if (live_ != nullptr) return live_->symbols().find(name);
  if (std::optional<Symbol> found = find_symbol("vmlinux", name)) return found;
  for (const Module& loaded : modules())
    if (std::optional<Symbol> found = find_symbol(loaded.name, name)) return found;
  return std::nullopt;
}

Symbol Kernel::symbol(std::string_view name) const {
  std::optional<Symbol> found = find_symbol(name);
  if (!found) throw_error(ErrorKind::usage, "no symbol '{}' in this kernel or its modules", name);
  return *found;
}

std::optional<Symbol> Kernel::symbol_at(std::uint64_t address) const {
  if (live_ != nullptr) return live_->symbols().nearest(address);
  for (const Module& loaded : modules()) {
    if (address < loaded.text.value || address - loaded.text.value >= loaded.text_size) continue;
    const ModuleSymbols* symbols = module_symbols(loaded);
    return symbols != nullptr ? symbols->nearest(address) : std::nullopt;
  }
  const SymbolSource& symbols = vmlinux_symbols();
  const bool relocated = absolute_symbols() || address < kernel_image_base;
  std::optional<Symbol> found =
      symbols.nearest(relocated ? address : address - vmcoreinfo_.kernel_offset());
  if (found && !absolute_symbols()) found->address = run_time(*found);
  return found;
}

std::vector<std::string> Kernel::symbol_names(std::string_view prefix, std::size_t limit) const {
  if (live_ != nullptr) return live_->symbols().names(prefix, limit);
  std::vector<std::string> names;
  for (const Module& loaded : modules()) {
    const ModuleSymbols* symbols = module_symbols(loaded);
    if (symbols == nullptr || names.size() >= limit) continue;
    for (std::string& name : symbols->names(prefix, limit - names.size()))
      names.push_back(std::move(name));
  }
  if (names.size() < limit)
    for (std::string& name : vmlinux_symbols().names(prefix, limit - names.size()))
      names.push_back(std::move(name));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace kvmscope
