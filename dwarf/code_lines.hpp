// Line tables of one debug file.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dwarf/die.hpp"

namespace kvmscope::dwarf {

// The start of a statement of a line.
struct Statement {
  std::string file;
  std::uint64_t address = 0;
  bool operator<(const Statement& other) const {
    return address != other.address ? address < other.address : file < other.file;
  }
};

// Whether `path` is `file` or ends in it, folder by folder: "mmu/mmu.c" of ".../kvm/mmu/mmu.c".
bool is_file(std::string_view path, std::string_view file);

// All statements of a line, in every unit, by address. Throws Error{unavailable} on damage.
std::vector<Statement> statements(Dwarf* dwarf, std::string_view file, unsigned line);

// The lines of a file that have code.
std::set<unsigned> lines_of(Dwarf* dwarf, std::string_view file);

// "PATH:LINE" of an address of the unit; empty: not known.
std::string line_at(const Die& unit, std::uint64_t address);

}  // namespace kvmscope::dwarf
