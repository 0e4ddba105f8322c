#include "dwarf/code_symbols.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace kvmscope::dwarf {

CodeSymbols::CodeSymbols(const ElfSymbols& symbols, const std::vector<std::uint64_t>& starts) {
  std::unordered_map<std::string_view, int> uses;
  for (const FunctionSymbol& symbol : symbols.functions()) {
    ++uses[symbol.name];
    const std::uint64_t start = symbol.section < starts.size() ? starts[symbol.section] : 0;
    entries_.push_back({.address = start + symbol.value,
                        .section = symbol.section,
                        .name = symbol.name,
                        .rank = symbol.rank});
  }
  for (Entry& entry : entries_) entry.is_unique = uses[entry.name] == 1;
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.address, a.rank) < std::tie(b.address, b.rank);
  });
}

CodePlace CodeSymbols::place(std::uint64_t address) const {
  const auto after =
      std::upper_bound(entries_.begin(), entries_.end(), address,
                       [](std::uint64_t at, const Entry& entry) { return at < entry.address; });
  for (auto at = std::make_reverse_iterator(after); at != entries_.rend(); ++at) {
    if (at->section != std::make_reverse_iterator(after)->section) break;
    if (at->is_unique) return {address, std::string(at->name), address - at->address};
  }
  return {address, {}, 0};
}

}  // namespace kvmscope::dwarf
