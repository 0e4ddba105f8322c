// The types of one debug file, read from DWARF when they are asked for.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/types/source.hpp"
#include "dwarf/die.hpp"
#include "dwarf/elf_file.hpp"
#include "dwarf/type_index.hpp"

namespace kvmscope::dwarf {

struct CloseDwarf {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

// A type is one entry of DWARF: the same struct met in two units is two Types.
// Errors are Error{unavailable} that names the file.
class DwarfTypes : public TypeSource, private TypeLoader {
 public:
  // `file` must outlive this; its debug sections are relocated.
  explicit DwarfTypes(const ElfFile& file);
  DwarfTypes(const DwarfTypes&) = delete;
  DwarfTypes& operator=(const DwarfTypes&) = delete;

  const Type* find(TypeKind kind, std::string_view name) const override;
  std::vector<std::string> names(TypeKind kind, std::string_view prefix,
                                 std::size_t limit) const override;
  // The type of a variable at the top level of a unit; nullptr when there is none.
  const Type* variable(std::string_view name) const;
  // What an entry's DW_AT_type says, loaded when it is looked at; empty: void.
  TypeRef target_of(const Die& die) const;
  Dwarf* handle() const { return dwarf_.get(); }

 private:
  const Type& load(std::uint64_t offset) const override;
  const Type& load_nested(std::uint64_t offset) const;
  Type read(const Die& die, unsigned tag) const;
  void read_members(const Die& die, Type& type) const;
  Member read_member(const Die& die) const;
  void read_enumerators(const Die& die, Type& type) const;
  void read_array(const Die& die, Type& type) const;
  const Type* loaded_target(const Die& die) const;

  const ElfFile& file_;
  std::unique_ptr<Dwarf, CloseDwarf> dwarf_;
  mutable std::unique_ptr<TypeIndex> index_;
  mutable std::deque<Type> types_;
  mutable std::unordered_map<std::uint64_t, const Type*> by_offset_;
  mutable int depth_ = 0;  // of loads inside each other
};

}  // namespace kvmscope::dwarf
