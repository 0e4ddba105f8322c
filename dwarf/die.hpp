// Debug information entries (DIEs) of libdw, with damage turned into errors.
#pragma once

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/types/code.hpp"

namespace kvmscope::dwarf {

using Die = Dwarf_Die;

// Throws Error{unavailable}: debug info that contradicts itself, with what libdw says about it.
[[noreturn]] void throw_damaged(std::uint64_t offset, std::string_view what);

// The entry at an offset into .debug_info. Throws on an offset with no entry.
Die die_at(Dwarf* dwarf, std::uint64_t offset);
std::uint64_t offset_of(const Die& die);
// A DW_TAG_ constant. Throws on an entry without one.
unsigned tag_of(const Die& die);

// Children and siblings in order; none after the last. Offsets only ever grow, so that a loop
// over siblings ends in a damaged file too.
std::optional<Die> first_child(const Die& die);
std::optional<Die> next_sibling(const Die& die);

bool has(const Die& die, unsigned attribute);
// The value of an attribute; none when the entry does not have it. Throws when it is there but
// cannot be read.
std::optional<std::uint64_t> number(const Die& die, unsigned attribute);
// The entry that an attribute points to.
std::optional<Die> reference(const Die& die, unsigned attribute);
// DW_AT_name, or nullptr; lives as long as the Dwarf.
const char* name_of(const Die& die);
// The same, also where the entry leaves it to the one that it is a copy or the definition of.
const char* full_name_of(const Die& die);

// What DW_AT_type leads to, without const, volatile, restrict and _Atomic; none: void.
std::optional<Die> type_of(const Die& die);

// The address in an attribute; none when the entry does not have it, or has no address there.
std::optional<std::uint64_t> address(const Die& die, unsigned attribute);
// Code from (inclusive) and to (exclusive) which address, in the order of the debug info; empty
// ranges are left out.
std::vector<CodeRange> ranges_of(const Die& die);

}  // namespace kvmscope::dwarf
