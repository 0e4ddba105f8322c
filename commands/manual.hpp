// The manual page, kvmscope(1), from the declarations that `help` shows.
#pragma once

#include <string>
#include <vector>

#include "commands/command.hpp"

namespace kvmscope {

// roff, for man.
std::string manual(const std::vector<Command>& catalogue);

// What the page says beyond the declarations: exit statuses, files, variables.
struct ManualEntry {
  std::string_view name;
  std::string_view text;
};
const std::vector<ManualEntry>& manual_statuses();
const std::vector<ManualEntry>& manual_files();
const std::vector<ManualEntry>& manual_environment();

}  // namespace kvmscope
