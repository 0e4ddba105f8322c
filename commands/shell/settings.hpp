// What `set` changes: how results look, and what else the shell does.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/output/renderer.hpp"

namespace kvmscope {

struct Settings {
  OutputOptions output;
  bool pager = true;    // long output in the interactive shell
  bool timing = false;  // phases after every command line
};

// One setting as `set` lists, completes and changes it.
struct Setting {
  std::string_view name;
  std::string_view help;
  std::vector<std::string_view> (*values)();  // for completion; empty: any text
  std::string (*get)(const Settings& settings);
  void (*set)(Settings& settings, std::string_view value);  // throws Error{usage}
};
const std::vector<Setting>& all_settings();
// Throws Error{usage} that names the settings.
const Setting& find_setting(std::string_view name);

}  // namespace kvmscope
