#include "dwarf/elf_symbols.hpp"

#include <algorithm>
#include <cctype>

#include "core/base/error.hpp"

namespace kvmscope::dwarf {
namespace {

// One scan of vmlinux's table costs 1 to 2 ms, a map of it 15 to 20.
constexpr int scans_before_map = 12;

bool is_global(const Elf64_Sym& symbol) {
  return ELF64_ST_BIND(symbol.st_info) != STB_LOCAL;
}

char section_type(const GElf_Shdr& header) {
  if ((header.sh_flags & SHF_ALLOC) == 0) return 'N';
  if ((header.sh_flags & SHF_EXECINSTR) != 0) return 'T';
  if (header.sh_type == SHT_NOBITS) return 'B';
  return (header.sh_flags & SHF_WRITE) != 0 ? 'D' : 'R';
}

// Which of two symbols at one address describes it better: functions and objects before labels,
// known sizes first, global before local.
int rank(const Elf64_Sym& symbol) {
  return (ELF64_ST_TYPE(symbol.st_info) != STT_NOTYPE ? 4 : 0) + (symbol.st_size != 0 ? 2 : 0) +
         (is_global(symbol) ? 1 : 0);
}

}  // namespace

ElfSymbols::ElfSymbols(const ElfFile& file, std::string module)
    : module_(std::move(module)), is_relocatable_(file.is_relocatable()) {
  Elf_Scn* at = nullptr;
  section_types_.push_back('U');
  while ((at = elf_nextscn(file.handle(), at)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(at, &header) == nullptr) header = {};
    section_types_.push_back(section_type(header));
  }
  if (const auto text = file.section(".text")) text_section_ = elf_ndxscn(text->handle);

  const auto symbols = file.section(".symtab");
  const auto strings = file.section(".strtab");
  if (!symbols || !strings) return;
  const Bytes table = file.data(*symbols);
  const Bytes text = file.data(*strings);
  const bool is_aligned = reinterpret_cast<std::uintptr_t>(table.data()) % alignof(Elf64_Sym) == 0;
  if (!is_aligned || text.empty() || text.back() != std::byte{0})
    throw_error(ErrorKind::unavailable, "{}: the symbol table is damaged", file.path());
  symbols_ = {reinterpret_cast<const Elf64_Sym*>(table.data()), table.size() / sizeof(Elf64_Sym)};
  strings_ = {reinterpret_cast<const char*>(text.data()), text.size()};
}

const char* ElfSymbols::name_of(const Elf64_Sym& symbol) const {
  return symbol.st_name < strings_.size() ? strings_.data() + symbol.st_name : "";
}

bool ElfSymbols::is_named(const Elf64_Sym& symbol) const {
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  return symbol.st_shndx != SHN_UNDEF && type != STT_SECTION && type != STT_FILE &&
         *name_of(symbol) != '\0';
}

// Whether its value is an address that nearest() may answer with.
bool ElfSymbols::is_place(const Elf64_Sym& symbol) const {
  if (!is_named(symbol) || symbol.st_shndx == SHN_ABS || symbol.st_shndx == SHN_COMMON)
    return false;
  return !is_relocatable_ || symbol.st_shndx == text_section_;
}

char ElfSymbols::type_of(const Elf64_Sym& symbol) const {
  if (ELF64_ST_BIND(symbol.st_info) == STB_WEAK) return 'W';
  char type = '?';
  if (symbol.st_shndx == SHN_ABS)
    type = 'A';
  else if (symbol.st_shndx == SHN_COMMON)
    type = 'C';
  else if (symbol.st_shndx < section_types_.size())
    type = section_types_[symbol.st_shndx];
  return is_global(symbol) ? type : static_cast<char>(std::tolower(type));
}

Symbol ElfSymbols::describe(const Elf64_Sym& symbol) const {
  return {name_of(symbol), symbol.st_value, symbol.st_size, type_of(symbol), module_};
}

const Elf64_Sym* ElfSymbols::scan(std::string_view name) const {
  const Elf64_Sym* local = nullptr;
  for (const Elf64_Sym& symbol : symbols_) {
    const std::size_t at = symbol.st_name;
    // The terminating NUL belongs to the comparison, and lies inside the table.
    if (at >= strings_.size() || strings_.size() - at <= name.size()) continue;
    const char* candidate = strings_.data() + at;
    if (*candidate != name.front() || candidate[name.size()] != '\0') continue;
    if (std::memcmp(candidate, name.data(), name.size()) != 0 || !is_named(symbol)) continue;
    if (is_global(symbol)) return &symbol;
    if (local == nullptr) local = &symbol;
  }
  return local;
}

void ElfSymbols::build_map() const {
  if (!by_name_.empty()) return;
  by_name_.reserve(symbols_.size());
  for (const Elf64_Sym& symbol : symbols_) {
    if (!is_named(symbol)) continue;
    const Elf64_Sym*& known = by_name_[name_of(symbol)];
    if (known == nullptr || (is_global(symbol) && !is_global(*known))) known = &symbol;
  }
}

std::optional<Symbol> ElfSymbols::find(std::string_view name) const {
  if (name.empty()) return std::nullopt;
  const Elf64_Sym* found = nullptr;
  if (scans_ < scans_before_map) {
    ++scans_;
    found = scan(name);
  } else {
    build_map();
    const auto known = by_name_.find(name);
    if (known != by_name_.end()) found = known->second;
  }
  return found != nullptr ? std::optional(describe(*found)) : std::nullopt;
}

void ElfSymbols::build_order() const {
  if (!by_address_.empty()) return;
  for (const Elf64_Sym& symbol : symbols_)
    if (is_place(symbol)) by_address_.push_back(&symbol);
  std::stable_sort(by_address_.begin(), by_address_.end(),
                   [](const Elf64_Sym* a, const Elf64_Sym* b) {
                     if (a->st_value != b->st_value) return a->st_value < b->st_value;
                     return rank(*a) < rank(*b);
                   });
}

std::optional<Symbol> ElfSymbols::nearest(std::uint64_t address) const {
  build_order();
  const auto after = std::upper_bound(
      by_address_.begin(), by_address_.end(), address,
      [](std::uint64_t at, const Elf64_Sym* symbol) { return at < symbol->st_value; });
  return after == by_address_.begin() ? std::nullopt : std::optional(describe(**std::prev(after)));
}

std::vector<FunctionSymbol> ElfSymbols::functions() const {
  std::vector<FunctionSymbol> found;
  for (const Elf64_Sym& symbol : symbols_) {
    const bool is_function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
    if (is_function && is_named(symbol) && symbol.st_shndx < SHN_LORESERVE)
      found.push_back({name_of(symbol), symbol.st_shndx, symbol.st_value, rank(symbol)});
  }
  return found;
}

std::vector<std::string> ElfSymbols::names(std::string_view prefix, std::size_t limit) const {
  std::vector<std::string> found;
  for (const Elf64_Sym& symbol : symbols_)
    if (is_named(symbol) && std::string_view(name_of(symbol)).starts_with(prefix))
      found.emplace_back(name_of(symbol));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace kvmscope::dwarf
