// What `set` changes: how results look, and what else the shell does.
#pragma once

#include <chrono>
#include <cstdint>
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
  // Of a command on the kernel that runs. 0: no limit.
  std::uint64_t max_bytes = 256 << 20;
  std::chrono::nanoseconds max_time = std::chrono::seconds(10);
  // Of a Lua program. 0: no limit.
  std::uint64_t lua_memory = 256 << 20;
  std::chrono::nanoseconds lua_time = std::chrono::minutes(5);
  bool unsafe_lua = false;  // it may use files and processes
  bool strict = false;      // what stayed torn ends the command with status 4
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
// "64M", "256KiB", "1000000": bytes. "2.5": seconds; "0": no limit. Throw Error{usage}.
std::uint64_t parse_bytes(std::string_view text);
std::chrono::nanoseconds parse_time_limit(std::string_view text);
// Throws Error{usage} that names the settings.
const Setting& find_setting(std::string_view name);

}  // namespace kvmscope
