#include "core/kernel/modules.hpp"

#include <elf.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <set>
#include <span>

#include "core/base/error.hpp"
#include "core/object/containers.hpp"
#include "core/types/type_modules.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t most_modules = 10'000;
constexpr std::uint64_t most_symbols = 1'000'000;
constexpr std::uint64_t most_string_bytes = 64 << 20;
// Until v6.4 the text of the module lies before its notes.
constexpr std::uint64_t note_search_bytes = 8 << 20;

bool plausible_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
}

Module read_module(const ModuleFields& fields, const VirtReader& memory, VirtAddr at) {
  const StructCopy copy(fields, memory, at);
  Module module;
  module.address = at;
  module.name = text_of(copy.bytes(fields.name));
  if (!plausible_name(module.name))
    throw_error(ErrorKind::corrupt, "the module at {:#x} has no sane name", at.value);
  module.text = {copy.find(fields.text_base).value_or(0)};
  module.text_size = copy.find(fields.text_size).value_or(0);
  module.rodata = {copy.find(fields.rodata_base).value_or(0)};
  module.rodata_size = copy.find(fields.rodata_size).value_or(0);
  module.kallsyms = {copy.find(fields.kallsyms).value_or(0)};
  return module;
}

std::vector<char> read_strings(const VirtReader& memory, VirtAddr at, std::uint64_t size) {
  if (size > most_string_bytes)
    throw_error(ErrorKind::corrupt, "a module's string table has {} bytes", size);
  std::vector<char> strings(size);
  memory.read(at, std::as_writable_bytes(std::span(strings)));
  // The length of the last name is not known: take what its page still holds.
  std::vector<char> rest(page_size - ((at.value + size) & page_offset_mask));
  memory.read(at + size, std::as_writable_bytes(std::span(rest)));
  strings.insert(strings.end(), rest.begin(), rest.end());
  strings.push_back('\0');
  return strings;
}

char symbol_type(const Elf64_Sym& symbol) {
  const bool global = ELF64_ST_BIND(symbol.st_info) != STB_LOCAL;
  const char type = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC ? 't' : 'd';
  return global ? static_cast<char>(std::toupper(type)) : type;
}

}  // namespace

std::vector<Module> read_modules(const ModuleFields& fields, const VirtReader& memory,
                                 VirtAddr head) {
  std::vector<Module> modules;
  try {
    walk_list(
        memory, head,
        [&](VirtAddr node) {
          modules.push_back(read_module(fields, memory, node - fields.list.offset));
        },
        most_modules);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt && error.kind() != ErrorKind::fault) throw;
    throw_error(ErrorKind::unavailable,
                "the list of modules makes no sense with the struct module of this debug info, "
                "which is probably of another build: {}",
                error.what());
  }
  return modules;
}

const Module* find_module(const std::vector<Module>& modules, std::string_view name) {
  const std::string wanted = kernel_name(name);
  const auto found = std::find_if(modules.begin(), modules.end(),
                                  [&](const Module& module) { return module.name == wanted; });
  return found != modules.end() ? &*found : nullptr;
}

std::string module_build_id(const VirtReader& memory, const Module& module) {
  // namesz 4, type NT_GNU_BUILD_ID, "GNU\0" after the length of the id.
  constexpr std::uint32_t name_size = 4;
  constexpr std::size_t header = 16;
  constexpr std::uint32_t longest = 64;
  const std::uint64_t size = std::min(module.rodata_size, note_search_bytes);
  std::vector<std::byte> page(page_size);
  for (std::uint64_t done = 0; done + page_size <= align_up(size, page_size); done += page_size) {
    memory.read(module.rodata + done, page);
    for (std::size_t at = 0; at + header + longest <= page.size(); at += 4) {
      const auto note = load<std::array<std::uint32_t, 4>>(page, at);
      if (note[0] != name_size || note[2] != NT_GNU_BUILD_ID || note[3] != 0x00554e47) continue;
      if (note[1] == 0 || note[1] > longest) continue;
      std::string id;
      for (std::size_t i = 0; i < note[1]; ++i)
        id += fmt::format("{:02x}", std::to_integer<unsigned>(page[at + header + i]));
      return id;
    }
  }
  return "";
}

ModuleSymbols::ModuleSymbols(const ModKallsymsFields& fields, const VirtReader& memory,
                             const Module& module)
    : module_(module.name) {
  with_context(
      [&] { return fmt::format("reading the symbols of {}", module.name); },
      [&] {
        const StructCopy table(fields, memory, module.kallsyms);
        const std::uint64_t count = table.get(fields.num_symtab);
        if (count > most_symbols)
          throw_error(ErrorKind::corrupt, "module {} claims {} symbols", module.name, count);
        std::vector<Elf64_Sym> symbols(count);
        memory.read(table.pointer(fields.symtab), std::as_writable_bytes(std::span(symbols)));
        std::uint32_t last_name = 0;
        for (const Elf64_Sym& symbol : symbols) last_name = std::max(last_name, symbol.st_name);
        names_ = read_strings(memory, table.pointer(fields.strtab), last_name);
        for (const Elf64_Sym& symbol : symbols)
          if (names_[symbol.st_name] != '\0')
            entries_.push_back(
                {symbol.st_value, symbol.st_size, symbol.st_name, symbol_type(symbol)});
      });
}

Symbol ModuleSymbols::symbol(const Entry& entry) const {
  return {std::string(name(entry)), entry.address, entry.size, entry.type, module_};
}

// Of several the last. Most differ in their first bytes: how long they are is of no interest.
std::optional<Symbol> ModuleSymbols::find(std::string_view name) const {
  const std::string wanted(name);
  const auto found = std::find_if(entries_.rbegin(), entries_.rend(), [&](const Entry& entry) {
    return std::strcmp(names_.data() + entry.name, wanted.c_str()) == 0;
  });
  if (found == entries_.rend()) return std::nullopt;
  return symbol(*found);
}

std::optional<Symbol> ModuleSymbols::nearest(std::uint64_t address) const {
  const Entry* best = nullptr;
  for (const Entry& entry : entries_)
    if (entry.address <= address && (best == nullptr || entry.address > best->address))
      best = &entry;
  if (best == nullptr) return std::nullopt;
  return symbol(*best);
}

std::vector<std::string> ModuleSymbols::names(std::string_view prefix, std::size_t limit) const {
  std::set<std::string_view> names;
  for (const Entry& entry : entries_)
    if (name(entry).starts_with(prefix)) names.insert(name(entry));
  std::vector<std::string> result(names.begin(), names.end());
  if (result.size() > limit) result.resize(limit);
  return result;
}

}  // namespace kvmscope
