// Where in .debug_info each named type and variable is defined, found out unit by unit.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dwarf/die.hpp"
#include "dwarf/elf_file.hpp"

namespace kvmscope::dwarf {

enum class NameKind { structure, union_type, enumeration, typedef_type, base, variable };
inline constexpr std::size_t name_kinds = 6;

// Only names at the top level of a unit count, and only complete definitions of types; of a
// variable that is defined in no unit read so far, a declaration that has its type.
class TypeIndex {
 public:
  // Both must outlive this; names point into them.
  TypeIndex(const ElfFile& file, Dwarf* dwarf);

  // Offset of the definition. Reads on, unit by unit, until it is found; a name that is in no
  // unit costs a scan of the whole file, once. Throws Error{unavailable} on damage.
  std::optional<std::uint64_t> find(NameKind kind, std::string_view name);
  // Up to `limit` names in order. Reads the whole file first unless it is very large (vmlinux).
  std::vector<std::string> names(NameKind kind, std::string_view prefix, std::size_t limit);

 private:
  struct Unit {
    std::uint64_t root = 0;  // offset of its DW_TAG_compile_unit
    std::uint64_t next = 0;  // offset of the next unit's header
  };
  using Names = std::unordered_map<std::string_view, std::uint64_t>;

  std::optional<std::uint64_t> find_indexed(NameKind kind, std::string_view name) const;
  bool may_be_named(std::string_view name) const;
  std::optional<Unit> unit_at(std::uint64_t offset) const;
  bool index_mmu_unit();
  bool index_next_unit();
  void index_unit(const Unit& unit);
  void add(const Die& die);
  void add_usual_spelling(const char* name, std::uint64_t offset);

  Dwarf* dwarf_;
  Bytes strings_;  // .debug_str
  bool is_large_ = false;
  bool tried_mmu_unit_ = false;
  std::uint64_t mmu_unit_ = 0;   // root of the unit that was indexed out of turn; 0: none
  std::uint64_t next_unit_ = 0;  // header of the next unit to index
  std::array<Names, name_kinds> names_;
  Names declared_variables_;
  std::deque<std::string> spellings_;  // of base types, where ours is not the compiler's
};

}  // namespace kvmscope::dwarf
