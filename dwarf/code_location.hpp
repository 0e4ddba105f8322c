// DWARF's location expressions as data: register, offsets, what is read on the way.
#pragma once

#include <cstdint>
#include <vector>

#include "core/types/code.hpp"
#include "dwarf/die.hpp"

namespace kvmscope::dwarf {

// Where the variables of one function are.
class Locations {
 public:
  // `function`: the entry of the function out of line. `frames`: .debug_frame, nullptr where the
  // file has none; outlives this.
  Locations(const Die& function, Dwarf_CFI* frames) : function_(function), frames_(frames) {}

  // At one address, of a parameter or variable of the function or of what was inlined into it.
  CodeLocation at(const Die& variable, std::uint64_t address) const;
  // Where at() finds it, by address, pieces that touch merged. Empty: nowhere, or the debug info
  // says the same for the whole function.
  std::vector<CodeRange> available(const Die& variable) const;

  // What DW_OP_fbreg and DW_OP_call_frame_cfa count from, at an address.
  CodeLocation frame_base(std::uint64_t address) const;
  CodeLocation call_frame(std::uint64_t address) const;

 private:
  Die function_;
  Dwarf_CFI* frames_;
};

}  // namespace kvmscope::dwarf
