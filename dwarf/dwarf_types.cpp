#include "dwarf/dwarf_types.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/types/base_type_name.hpp"
#include "dwarf/relocate.hpp"

namespace kvmscope::dwarf {
namespace {

// A type's size needs those of its elements or of what it stands for; deeper than this is a loop.
constexpr int max_depth = 64;
// Offsets beyond any struct, that would overflow when counted in bits.
constexpr std::uint64_t max_offset = 1ULL << 48;

// The sections that types are read from, and whose contents the linker completes.
constexpr std::string_view relocated_sections[] = {".debug_info", ".debug_str_offsets"};

std::optional<NameKind> name_kind(TypeKind kind) {
  switch (kind) {
    case TypeKind::structure: return NameKind::structure;
    case TypeKind::union_type: return NameKind::union_type;
    case TypeKind::enumeration: return NameKind::enumeration;
    case TypeKind::typedef_type: return NameKind::typedef_type;
    case TypeKind::integer:
    case TypeKind::boolean:
    case TypeKind::floating: return NameKind::base;
    default: return std::nullopt;
  }
}

TypeKind type_kind(unsigned tag) {
  switch (tag) {
    case DW_TAG_structure_type:
    case DW_TAG_class_type: return TypeKind::structure;
    case DW_TAG_union_type: return TypeKind::union_type;
    case DW_TAG_enumeration_type: return TypeKind::enumeration;
    case DW_TAG_typedef: return TypeKind::typedef_type;
    case DW_TAG_base_type: return TypeKind::integer;
    case DW_TAG_array_type: return TypeKind::array;
    case DW_TAG_subroutine_type: return TypeKind::function;
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type: return TypeKind::pointer;
    default: return TypeKind::void_type;
  }
}

void read_base(const Die& die, Type& type) {
  type.name = base_type_name(type.name);
  switch (number(die, DW_AT_encoding).value_or(DW_ATE_unsigned)) {
    case DW_ATE_boolean: type.kind = TypeKind::boolean; break;
    case DW_ATE_float:
    case DW_ATE_complex_float: type.kind = TypeKind::floating; break;
    case DW_ATE_signed:
    case DW_ATE_signed_char: type.is_signed = true; break;
    default: break;
  }
}

// Elements of one dimension; none: not known (a flexible array). An upper bound of -1 is how
// GCC writes no elements.
std::optional<std::uint64_t> dimension(const Die& subrange) {
  const auto constant = [&](unsigned name) -> std::optional<std::uint64_t> {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dwarf_attr(const_cast<Dwarf_Die*>(&subrange), name, &attribute) == nullptr ||
        dwarf_formudata(&attribute, &value) != 0)
      return std::nullopt;  // a length that is only known at run time is an expression
    return value;
  };
  if (const auto count = constant(DW_AT_count)) return count;
  const auto upper = constant(DW_AT_upper_bound);
  return upper ? std::optional(*upper + 1) : std::nullopt;
}

std::uint64_t array_size(const Die& die, std::uint64_t element, std::uint64_t count) {
  std::uint64_t size = 0;
  if (__builtin_mul_overflow(element, count, &size))
    throw_damaged(offset_of(die), "an array that is larger than memory");
  return size;
}

// Where a bit field starts: DWARF 4 counts from the start of the struct, DWARF 2 from the most
// significant bit of the field's storage unit.
std::uint64_t field_start(const Die& die, std::uint64_t byte_offset, std::uint64_t bit_size,
                          std::uint64_t type_size) {
  if (const auto offset = number(die, DW_AT_data_bit_offset)) return *offset;
  const auto from_top = number(die, DW_AT_bit_offset);
  if (!from_top) return byte_offset * 8;
  const std::uint64_t storage = number(die, DW_AT_byte_size).value_or(type_size) * 8;
  if (*from_top + bit_size > storage)
    throw_damaged(offset_of(die), "a bit field outside of its storage unit");
  return byte_offset * 8 + storage - *from_top - bit_size;
}

}  // namespace

DwarfTypes::DwarfTypes(const ElfFile& file) : file_(file) {
  // libdw decompresses sections here, so relocation comes after it.
  dwarf_.reset(dwarf_begin_elf(file.handle(), DWARF_C_READ, nullptr));
  if (!dwarf_)
    throw_error(ErrorKind::unavailable, "{}: debug info cannot be read: {}", file.path(),
                dwarf_errmsg(-1));
  for (const std::string_view section : relocated_sections) relocate(file, section);
  // libdw looks for the end of an inline string without a limit.
  const auto info = file.section(".debug_info");
  if (info) file.data(*info).back() = std::byte{0};
  index_ = std::make_unique<TypeIndex>(file, dwarf_.get());
}

const Type* DwarfTypes::find(TypeKind kind, std::string_view name) const {
  const std::optional<NameKind> wanted = name_kind(kind);
  if (!wanted) return nullptr;
  return with_context([&] { return fmt::format("looking for {} in {}", name, file_.path()); },
                      [&]() -> const Type* {
                        const auto offset = *wanted == NameKind::base
                                                ? index_->find(*wanted, base_type_name(name))
                                                : index_->find(*wanted, name);
                        return offset ? &load_nested(*offset) : nullptr;
                      });
}

std::vector<std::string> DwarfTypes::names(TypeKind kind, std::string_view prefix,
                                           std::size_t limit) const {
  const std::optional<NameKind> wanted = name_kind(kind);
  if (!wanted) return {};
  return with_context([&] { return fmt::format("listing types of {}", file_.path()); },
                      [&] { return index_->names(*wanted, prefix, limit); });
}

const Type* DwarfTypes::variable(std::string_view name) const {
  return with_context([&] { return fmt::format("looking for {} in {}", name, file_.path()); },
                      [&]() -> const Type* {
                        const auto offset = index_->find(NameKind::variable, name);
                        if (!offset) return nullptr;
                        Die die = die_at(dwarf_.get(), *offset);
                        if (!has(die, DW_AT_type)) {
                          const auto declared = reference(die, DW_AT_specification);
                          if (declared) die = *declared;
                        }
                        return loaded_target(die);
                      });
}

const Type& DwarfTypes::load(std::uint64_t offset) const {
  return with_context([&] { return fmt::format("reading types of {}", file_.path()); },
                      [&]() -> const Type& { return load_nested(offset); });
}

const Type& DwarfTypes::load_nested(std::uint64_t offset) const {
  const auto known = by_offset_.find(offset);
  if (known != by_offset_.end()) return *known->second;
  if (depth_ == max_depth) throw_damaged(offset, "a type that contains itself");
  struct Deeper {
    int& depth;
    explicit Deeper(int& d) : depth(d) { ++depth; }
    ~Deeper() { --depth; }
  } const deeper(depth_);
  const Die die = die_at(dwarf_.get(), offset);
  const Type& type = types_.emplace_back(read(die, tag_of(die)));
  by_offset_.emplace(offset, &type);
  return type;
}

Type DwarfTypes::read(const Die& die, unsigned tag) const {
  Type type;
  type.kind = type_kind(tag);
  if (type.kind == TypeKind::void_type) return type;
  if (const char* name = name_of(die)) type.name = name;
  type.size = number(die, DW_AT_byte_size).value_or(0);
  type.is_complete = !has(die, DW_AT_declaration);
  switch (type.kind) {
    case TypeKind::integer: read_base(die, type); break;
    case TypeKind::structure:
    case TypeKind::union_type: read_members(die, type); break;
    case TypeKind::enumeration: read_enumerators(die, type); break;
    case TypeKind::array: read_array(die, type); break;
    case TypeKind::pointer:
      type.target = target_of(die);
      if (type.size == 0) type.size = 8;
      break;
    case TypeKind::typedef_type: {
      const Type* target = loaded_target(die);
      if (target == nullptr) break;
      type.target = *target;
      type.size = target->size;
      break;
    }
    default: type.target = target_of(die); break;
  }
  return type;
}

void DwarfTypes::read_members(const Die& die, Type& type) const {
  for (auto child = first_child(die); child; child = next_sibling(*child))
    if (tag_of(*child) == DW_TAG_member) type.members.push_back(read_member(*child));
}

Member DwarfTypes::read_member(const Die& die) const {
  Member member;
  if (const char* name = name_of(die)) member.name = name;
  member.type = target_of(die);
  member.bit_size = number(die, DW_AT_bit_size).value_or(0);
  const std::uint64_t byte_offset = number(die, DW_AT_data_member_location).value_or(0);
  if (!member.type || byte_offset > max_offset || member.bit_size > 128)
    throw_damaged(offset_of(die), "a member that makes no sense");
  member.bit_offset = byte_offset * 8;
  if (member.bit_size != 0) {
    const bool has_storage = has(die, DW_AT_data_bit_offset) || has(die, DW_AT_byte_size);
    const std::uint64_t type_size = has_storage ? 0 : member.type.get().size;
    member.bit_offset = field_start(die, byte_offset, member.bit_size, type_size);
  }
  return member;
}

void DwarfTypes::read_enumerators(const Die& die, Type& type) const {
  for (auto child = first_child(die); child; child = next_sibling(*child)) {
    if (tag_of(*child) != DW_TAG_enumerator) continue;
    const char* name = name_of(*child);
    const auto value = static_cast<std::int64_t>(number(*child, DW_AT_const_value).value_or(0));
    type.enumerators.push_back({name == nullptr ? "" : name, value});
    if (value < 0) type.is_signed = true;
  }
  const Type* underlying = loaded_target(die);  // GCC and clang say it, strict DWARF 2 does not
  if (underlying != nullptr) type.is_signed = strip(*underlying).is_signed;
}

// DWARF has one entry with a child for each dimension; C has an array of arrays.
void DwarfTypes::read_array(const Die& die, Type& type) const {
  std::vector<std::optional<std::uint64_t>> dimensions;
  for (auto child = first_child(die); child; child = next_sibling(*child))
    if (tag_of(*child) == DW_TAG_subrange_type) dimensions.push_back(dimension(*child));
  if (dimensions.empty()) dimensions.emplace_back();
  const Type* element = loaded_target(die);
  if (element == nullptr) throw_damaged(offset_of(die), "an array of void");
  for (std::size_t i = dimensions.size(); i-- > 0;) {
    Type array;
    array.kind = TypeKind::array;
    array.target = *element;
    array.count = dimensions[i];
    array.size = array_size(die, element->size, array.count.value_or(0));
    if (i == 0)
      type = std::move(array);
    else
      element = &types_.emplace_back(std::move(array));
  }
}

TypeRef DwarfTypes::target_of(const Die& die) const {
  const std::optional<Die> target = type_of(die);
  if (!target) return {};
  return TypeRef(static_cast<const TypeLoader&>(*this), offset_of(*target));
}

const Type* DwarfTypes::loaded_target(const Die& die) const {
  const std::optional<Die> target = type_of(die);
  return target ? &load_nested(offset_of(*target)) : nullptr;
}

}  // namespace kvmscope::dwarf
