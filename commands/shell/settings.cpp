#include "commands/shell/settings.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include <fmt/ranges.h>

#include "commands/command.hpp"
#include "core/base/error.hpp"

namespace kvmscope {
namespace {

std::string on_off(bool value) {
  return value ? "on" : "off";
}

bool parse_on_off(std::string_view value) {
  if (value == "on" || value == "yes" || value == "true" || value == "1") return true;
  if (value == "off" || value == "no" || value == "false" || value == "0") return false;
  throw_error(ErrorKind::usage, "'{}' is neither on nor off", value);
}

std::vector<std::string_view> switch_values() {
  return {"on", "off"};
}

std::vector<std::string_view> any_text() {
  return {};
}

std::vector<std::string_view> format_names() {
  std::vector<std::string_view> names;
  for (const OutputFormat& format : formats()) names.push_back(format.name);
  return names;
}

}  // namespace

const std::vector<Setting>& all_settings() {
  using Text = std::string_view;
  static const std::vector<Setting> all = {
      {"format", "how results are written (-f)", format_names,
       [](const Settings& s) { return s.output.format; },
       [](Settings& s, Text value) { s.output.format = find_format(value).name; }},
      {"columns", "columns or fields to show (-o); empty: the usual ones", any_text,
       [](const Settings& s) { return s.output.columns; },
       [](Settings& s, Text value) { s.output.columns = value; }},
      {"sort", "field or column to sort by (--sort); empty: as they come", any_text,
       [](const Settings& s) { return s.output.sort; },
       [](Settings& s, Text value) { s.output.sort = value; }},
      {"header", "a header line above tables and CSV", switch_values,
       [](const Settings& s) { return on_off(s.output.header); },
       [](Settings& s, Text value) { s.output.header = parse_on_off(value); }},
      {"raw-numbers", "numbers instead of hex strings in JSON and CSV", switch_values,
       [](const Settings& s) { return on_off(s.output.raw_numbers); },
       [](Settings& s, Text value) { s.output.raw_numbers = parse_on_off(value); }},
      {"pager", "long output goes through $PAGER (less) in the shell", switch_values,
       [](const Settings& s) { return on_off(s.pager); },
       [](Settings& s, Text value) { s.pager = parse_on_off(value); }},
      {"max-bytes", "how much of a running kernel a command reads at most; 0: no limit", any_text,
       [](const Settings& s) { return std::to_string(s.max_bytes); },
       [](Settings& s, Text value) { s.max_bytes = parse_bytes(value); }},
      {"max-seconds", "how long a command looks at a running kernel at most; 0: no limit", any_text,
       [](const Settings& s) {
         return fmt::format("{:g}", std::chrono::duration<double>(s.max_time).count());
       },
       [](Settings& s, Text value) { s.max_time = parse_time_limit(value); }},
      {"lua-memory", "how much memory a Lua program may have; 0: no limit", any_text,
       [](const Settings& s) { return std::to_string(s.lua_memory); },
       [](Settings& s, Text value) { s.lua_memory = parse_bytes(value); }},
      {"lua-seconds", "how long a Lua program may run, its sleep() aside; 0: no limit", any_text,
       [](const Settings& s) {
         return fmt::format("{:g}", std::chrono::duration<double>(s.lua_time).count());
       },
       [](Settings& s, Text value) { s.lua_time = parse_time_limit(value); }},
      {"strict", "status 4 when a running kernel changed what was read (truth: torn)",
       switch_values, [](const Settings& s) { return on_off(s.strict); },
       [](Settings& s, Text value) { s.strict = parse_on_off(value); }},
      {"timing", "time and reads of each phase after every command", switch_values,
       [](const Settings& s) { return on_off(s.timing); },
       [](Settings& s, Text value) { s.timing = parse_on_off(value); }},
  };
  return all;
}

std::uint64_t parse_bytes(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit(end, text.data() + text.size());
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  constexpr std::array<std::pair<std::string_view, unsigned>, 10> units = {{{"", 0},
                                                                            {"K", 10},
                                                                            {"KB", 10},
                                                                            {"KIB", 10},
                                                                            {"M", 20},
                                                                            {"MB", 20},
                                                                            {"MIB", 20},
                                                                            {"G", 30},
                                                                            {"GB", 30},
                                                                            {"GIB", 30}}};
  const auto known =
      std::find_if(units.begin(), units.end(), [&](const auto& one) { return one.first == unit; });
  if (error != std::errc() || known == units.end() || number > (~0ULL >> known->second))
    throw_error(ErrorKind::usage, "'{}' is not a number of bytes: 1000000, 64M, 2G", text);
  return number << known->second;
}

std::chrono::nanoseconds parse_time_limit(std::string_view text) {
  return text == "0" ? std::chrono::nanoseconds(0) : parse_seconds(text);
}

const Setting& find_setting(std::string_view name) {
  for (const Setting& setting : all_settings())
    if (setting.name == name) return setting;
  std::vector<std::string_view> names;
  for (const Setting& setting : all_settings()) names.push_back(setting.name);
  throw_error(ErrorKind::usage, "no setting '{}'; there are: {}", name, fmt::join(names, ", "));
}

}  // namespace kvmscope
