#include "dwarf/die.hpp"

#include <cstring>

#include "core/base/error.hpp"

namespace kvmscope::dwarf {
namespace {

// More qualifiers than this on one type are a loop.
constexpr int max_qualifiers = 16;
// Pieces of one function; a list without end is damage.
constexpr std::size_t max_ranges = 100'000;

// libdw takes plain pointers, but writes to an entry only to remember its abbreviation.
Dwarf_Die* plain(const Die& die) {
  return const_cast<Dwarf_Die*>(&die);
}

std::optional<Dwarf_Attribute> attribute_of(const Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  if (dwarf_attr(plain(die), name, &attribute) == nullptr) return std::nullopt;
  return attribute;
}

bool is_qualifier(unsigned tag) {
  switch (tag) {
    case DW_TAG_const_type:
    case DW_TAG_volatile_type:
    case DW_TAG_restrict_type:
    case DW_TAG_atomic_type:
    case DW_TAG_immutable_type:
    case DW_TAG_packed_type:
    case DW_TAG_shared_type: return true;
    default: return false;
  }
}

// DW_FORM_sdata keeps its sign; other constants of DW_AT_const_value are unsigned (GCC, clang).
bool is_signed_form(Dwarf_Attribute& attribute) {
  const unsigned form = dwarf_whatform(&attribute);
  return form == DW_FORM_sdata || form == DW_FORM_implicit_const;
}

// DWARF 2 and 3 write the offset of a member as an expression: one addition.
std::optional<std::uint64_t> added_constant(Dwarf_Attribute& attribute) {
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  if (dwarf_getlocation(&attribute, &operations, &count) != 0 || count != 1) return std::nullopt;
  const unsigned operation = operations[0].atom;
  if (operation != DW_OP_plus_uconst && operation != DW_OP_constu) return std::nullopt;
  return operations[0].number;
}

}  // namespace

void throw_damaged(std::uint64_t offset, std::string_view what) {
  const int code = dwarf_errno();
  throw_error(ErrorKind::unavailable, "damaged debug info at {:#x}: {}{}{}", offset, what,
              code != 0 ? ": " : "", code != 0 ? dwarf_errmsg(code) : "");
}

Die die_at(Dwarf* dwarf, std::uint64_t offset) {
  Die die;
  if (dwarf_offdie(dwarf, offset, &die) == nullptr) throw_damaged(offset, "no entry here");
  return die;
}

std::uint64_t offset_of(const Die& die) {
  return dwarf_dieoffset(plain(die));
}

unsigned tag_of(const Die& die) {
  const int tag = dwarf_tag(plain(die));
  if (tag == DW_TAG_invalid) throw_damaged(offset_of(die), "an entry of no known kind");
  return static_cast<unsigned>(tag);
}

std::optional<Die> first_child(const Die& die) {
  Die child;
  const int result = dwarf_child(plain(die), &child);
  if (result < 0) throw_damaged(offset_of(die), "its children cannot be read");
  return result == 0 ? std::optional(child) : std::nullopt;
}

std::optional<Die> next_sibling(const Die& die) {
  Die sibling;
  const int result = dwarf_siblingof(plain(die), &sibling);
  if (result < 0) throw_damaged(offset_of(die), "its sibling cannot be read");
  if (result != 0) return std::nullopt;
  if (sibling.addr <= die.addr) throw_damaged(offset_of(die), "its sibling lies before it");
  return sibling;
}

bool has(const Die& die, unsigned attribute) {
  return dwarf_hasattr(plain(die), attribute) == 1;
}

std::optional<std::uint64_t> number(const Die& die, unsigned name) {
  std::optional<Dwarf_Attribute> attribute = attribute_of(die, name);
  if (!attribute) return std::nullopt;
  Dwarf_Sword signed_value = 0;
  if (is_signed_form(*attribute) && dwarf_formsdata(&*attribute, &signed_value) == 0)
    return static_cast<std::uint64_t>(signed_value);
  Dwarf_Word value = 0;
  if (dwarf_formudata(&*attribute, &value) == 0) return value;
  const std::optional<std::uint64_t> added = added_constant(*attribute);
  if (!added) throw_damaged(offset_of(die), fmt::format("attribute {:#x} is no number", name));
  return added;
}

std::optional<Die> reference(const Die& die, unsigned name) {
  std::optional<Dwarf_Attribute> attribute = attribute_of(die, name);
  if (!attribute) return std::nullopt;
  Die target;
  if (dwarf_formref_die(&*attribute, &target) == nullptr)
    throw_damaged(offset_of(die), fmt::format("attribute {:#x} leads nowhere", name));
  return target;
}

const char* name_of(const Die& die) {
  std::optional<Dwarf_Attribute> attribute = attribute_of(die, DW_AT_name);
  if (!attribute) return nullptr;
  const char* name = dwarf_formstring(&*attribute);
  if (name == nullptr) throw_damaged(offset_of(die), "its name cannot be read");
  return name;
}

const char* full_name_of(const Die& die) {
  return dwarf_diename(plain(die));
}

std::optional<std::uint64_t> address(const Die& die, unsigned name) {
  std::optional<Dwarf_Attribute> attribute = attribute_of(die, name);
  Dwarf_Addr value = 0;
  if (!attribute || dwarf_formaddr(&*attribute, &value) != 0) return std::nullopt;
  return value;
}

std::vector<CodeRange> ranges_of(const Die& die) {
  std::vector<CodeRange> ranges;
  Dwarf_Addr base = 0, begin = 0, end = 0;
  std::ptrdiff_t at = 0;
  while ((at = dwarf_ranges(plain(die), at, &base, &begin, &end)) > 0) {
    if (begin < end) ranges.push_back({begin, end});
    if (ranges.size() > max_ranges) throw_damaged(offset_of(die), "code in too many pieces");
  }
  if (at < 0) throw_damaged(offset_of(die), "its addresses cannot be read");
  return ranges;
}

std::optional<Die> type_of(const Die& die) {
  std::optional<Die> type = reference(die, DW_AT_type);
  for (int i = 0; i < max_qualifiers; ++i) {
    if (!type || !is_qualifier(tag_of(*type))) return type;
    type = reference(*type, DW_AT_type);
  }
  throw_damaged(offset_of(die), "qualifiers without end");
}

}  // namespace kvmscope::dwarf
