#include "dwarf/type_index.hpp"

#include <string.h>

#include <algorithm>

#include "core/base/interrupt.hpp"
#include "core/types/base_type_name.hpp"

namespace kvmscope::dwarf {
namespace {

// A module's DWARF takes up to 10 ms to index, vmlinux's (150 to 250 MB) hundreds.
constexpr std::size_t large_debug_info = 64 << 20;

std::optional<NameKind> kind_of(unsigned tag) {
  switch (tag) {
    case DW_TAG_structure_type: return NameKind::structure;
    case DW_TAG_union_type: return NameKind::union_type;
    case DW_TAG_enumeration_type: return NameKind::enumeration;
    case DW_TAG_typedef: return NameKind::typedef_type;
    case DW_TAG_base_type: return NameKind::base;
    case DW_TAG_variable: return NameKind::variable;
    default: return std::nullopt;
  }
}

// arch/x86/kvm/mmu/mmu.c, mmu.c beside x86.c until 5.7: it has every type of the MMU.
bool is_mmu_source(std::string_view path) {
  return path == "mmu.c" || path.ends_with("mmu/mmu.c") || path.ends_with("kvm/mmu.c");
}

}  // namespace

TypeIndex::TypeIndex(const ElfFile& file, Dwarf* dwarf) : dwarf_(dwarf) {
  const auto strings = file.section(".debug_str");
  if (strings) strings_ = file.data(*strings);
  const auto info = file.section(".debug_info");
  is_large_ = info && info->header.sh_size > large_debug_info;
}

std::optional<std::uint64_t> TypeIndex::find(NameKind kind, std::string_view name) {
  auto found = find_indexed(kind, name);
  if (found || (is_large_ && !may_be_named(name))) return found;
  // In vmlinux with KVM built in the unit is one of two thousand: look for it only when asked
  // for a name that is likely there.
  const bool wants_mmu_unit = !is_large_ || name.starts_with("kvm");
  if (wants_mmu_unit && index_mmu_unit()) found = find_indexed(kind, name);
  while (!found && index_next_unit()) found = find_indexed(kind, name);
  if (found || kind != NameKind::variable) return found;
  const auto declared = declared_variables_.find(name);
  if (declared != declared_variables_.end()) return declared->second;
  return std::nullopt;
}

std::optional<std::uint64_t> TypeIndex::find_indexed(NameKind kind, std::string_view name) const {
  const Names& names = names_[static_cast<std::size_t>(kind)];
  const auto found = names.find(name);
  return found == names.end() ? std::nullopt : std::optional(found->second);
}

// Saves the scan of a large file for a name that it nowhere contains. Compilers keep names in
// .debug_str, unless they are shorter than a reference to it; linkers let a string share the
// tail of a longer one.
bool TypeIndex::may_be_named(std::string_view name) const {
  if (strings_.empty() || name.size() < 8) return true;
  const std::string with_end(name.data(), name.size());
  return memmem(strings_.data(), strings_.size(), with_end.c_str(), with_end.size() + 1) != nullptr;
}

std::optional<TypeIndex::Unit> TypeIndex::unit_at(std::uint64_t offset) const {
  Dwarf_Off next = 0;
  std::size_t header_size = 0;
  const int result = dwarf_next_unit(dwarf_, offset, &next, &header_size, nullptr, nullptr, nullptr,
                                     nullptr, nullptr, nullptr);
  if (result > 0) return std::nullopt;
  if (result < 0 || next <= offset) throw_damaged(offset, "the header of a unit cannot be read");
  return Unit{offset + header_size, next};
}

// Whether a unit was indexed.
bool TypeIndex::index_mmu_unit() {
  if (tried_mmu_unit_) return false;
  tried_mmu_unit_ = true;
  std::uint64_t at = next_unit_;
  while (const auto unit = unit_at(at)) {
    const char* path = name_of(die_at(dwarf_, unit->root));
    if (path != nullptr && is_mmu_source(path)) {
      index_unit(*unit);
      mmu_unit_ = unit->root;
      return true;
    }
    at = unit->next;
  }
  return false;
}

// False after the last.
bool TypeIndex::index_next_unit() {
  const auto unit = unit_at(next_unit_);
  if (!unit) return false;
  check_interrupt();
  if (unit->root != mmu_unit_) index_unit(*unit);
  next_unit_ = unit->next;
  return true;
}

void TypeIndex::index_unit(const Unit& unit) {
  for (auto die = first_child(die_at(dwarf_, unit.root)); die; die = next_sibling(*die)) add(*die);
}

void TypeIndex::add(const Die& die) {
  const std::optional<NameKind> kind = kind_of(tag_of(die));
  if (!kind) return;
  const bool is_declared = has(die, DW_AT_declaration);
  if (is_declared && *kind != NameKind::variable) return;
  // A definition may leave its name and type to the declaration that it refers to.
  const char* name =
      *kind == NameKind::variable ? dwarf_diename(const_cast<Dwarf_Die*>(&die)) : name_of(die);
  if (name == nullptr) return;
  Names& names = is_declared ? declared_variables_ : names_[static_cast<std::size_t>(*kind)];
  names.try_emplace(name, offset_of(die));
  if (*kind == NameKind::base) add_usual_spelling(name, offset_of(die));
}

void TypeIndex::add_usual_spelling(const char* name, std::uint64_t offset) {
  Names& names = names_[static_cast<std::size_t>(NameKind::base)];
  std::string spelling = base_type_name(name);
  if (names.contains(spelling)) return;
  names.emplace(spellings_.emplace_back(std::move(spelling)), offset);
}

std::vector<std::string> TypeIndex::names(NameKind kind, std::string_view prefix,
                                          std::size_t limit) {
  while (!is_large_ && index_next_unit()) {
  }
  std::vector<std::string> found;
  for (const auto& [name, offset] : names_[static_cast<std::size_t>(kind)])
    if (name.starts_with(prefix)) found.emplace_back(name);
  std::sort(found.begin(), found.end());
  if (found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace kvmscope::dwarf
