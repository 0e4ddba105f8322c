// Which functions one debug file has: by name and by address.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dwarf/die.hpp"

namespace kvmscope::dwarf {

// The part of a name before a suffix that the compiler adds to a copy: .part.0, .constprop.0…
std::string_view source_name(std::string_view name);

// Made by one pass over the functions at the top level of every unit.
class CodeIndex {
 public:
  // Names point into `dwarf`. Throws Error{unavailable} on damage, Error{interrupted}.
  explicit CodeIndex(Dwarf* dwarf);

  // Offsets of the entries of that name, with code or without (what inlined copies refer to).
  const std::vector<std::uint64_t>& entries(std::string_view name) const;
  // The function out of line whose code holds the address.
  std::optional<std::uint64_t> at(std::uint64_t address) const;
  std::vector<std::string> names(std::string_view prefix, std::size_t limit) const;

 private:
  struct Code {
    CodeRange range;
    std::uint64_t entry = 0;
  };
  void add(const Die& die);

  std::map<std::string_view, std::vector<std::uint64_t>> by_name_;
  std::vector<Code> by_address_;
};

}  // namespace kvmscope::dwarf
