// Runs one DWARF expression with registers as unknowns.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/types/code.hpp"
#include "dwarf/code_location.hpp"

namespace kvmscope::dwarf {

// What the expression leaves, if it is a register, memory at a register, or a constant; otherwise
// a location that is lost, with the reason.
CodeLocation run_expression(std::span<const Dwarf_Op> operations, Dwarf_Attribute& attribute,
                            const Locations& locations, std::uint64_t address);

}  // namespace kvmscope::dwarf
