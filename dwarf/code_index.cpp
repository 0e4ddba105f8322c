#include "dwarf/code_index.hpp"

#include <algorithm>

#include "core/base/interrupt.hpp"

namespace kvmscope::dwarf {

std::string_view source_name(std::string_view name) {
  return name.substr(0, name.find('.'));
}

CodeIndex::CodeIndex(Dwarf* dwarf) {
  std::uint64_t at = 0;
  for (;;) {
    Dwarf_Off next = 0;
    std::size_t header_size = 0;
    const int result = dwarf_next_unit(dwarf, at, &next, &header_size, nullptr, nullptr, nullptr,
                                       nullptr, nullptr, nullptr);
    if (result > 0) break;
    if (result < 0 || next <= at) throw_damaged(at, "the header of a unit cannot be read");
    check_interrupt();
    for (auto die = first_child(die_at(dwarf, at + header_size)); die; die = next_sibling(*die))
      if (tag_of(*die) == DW_TAG_subprogram) add(*die);
    at = next;
  }
  std::sort(by_address_.begin(), by_address_.end(),
            [](const Code& a, const Code& b) { return a.range.begin < b.range.begin; });
}

void CodeIndex::add(const Die& die) {
  if (has(die, DW_AT_declaration)) return;
  const char* name = full_name_of(die);
  if (name == nullptr) return;
  by_name_[source_name(name)].push_back(offset_of(die));
  for (const CodeRange& range : ranges_of(die)) by_address_.push_back({range, offset_of(die)});
}

const std::vector<std::uint64_t>& CodeIndex::entries(std::string_view name) const {
  static const std::vector<std::uint64_t> none;
  const auto found = by_name_.find(name);
  return found != by_name_.end() ? found->second : none;
}

std::optional<std::uint64_t> CodeIndex::at(std::uint64_t address) const {
  const auto after =
      std::upper_bound(by_address_.begin(), by_address_.end(), address,
                       [](std::uint64_t at, const Code& code) { return at < code.range.begin; });
  if (after == by_address_.begin() || address >= std::prev(after)->range.end) return std::nullopt;
  return std::prev(after)->entry;
}

std::vector<std::string> CodeIndex::names(std::string_view prefix, std::size_t limit) const {
  std::vector<std::string> found;
  for (auto at = by_name_.lower_bound(prefix);
       at != by_name_.end() && at->first.starts_with(prefix) && found.size() < limit; ++at)
    found.emplace_back(at->first);
  return found;
}

}  // namespace kvmscope::dwarf
