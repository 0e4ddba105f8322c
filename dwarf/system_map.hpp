// System.map: the symbols of vmlinux as text, one "ffffffff81000000 T _text" a line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.hpp"
#include "core/types/source.hpp"

namespace kvmscope::dwarf {

// Whether the file's first line is one of a System.map. Throws Error{unavailable} when it cannot
// be read.
bool is_system_map(const std::string& path, OpenLog* log = nullptr);

// Addresses are those of link time; sizes are not known (0). Lines of another form are skipped.
class SystemMap : public SymbolSource {
 public:
  // Throws Error{unavailable}, also for a file that is_system_map() does not recognise.
  explicit SystemMap(const std::string& path, OpenLog* log = nullptr);

  std::optional<Symbol> find(std::string_view name) const override;
  std::optional<Symbol> nearest(std::uint64_t address) const override;
  std::vector<std::string> names(std::string_view prefix, std::size_t limit) const override;

 private:
  MappedFile file_;
  std::string_view text_;
  mutable std::vector<Symbol> by_address_;  // without absolute symbols (offsets of per-CPU data)
};

}  // namespace kvmscope::dwarf
