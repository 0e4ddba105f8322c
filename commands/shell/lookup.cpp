// Finding commands by name, and the options that all commands share.

#include <algorithm>

#include <fmt/ranges.h>

#include "commands/shell/arguments.hpp"
#include "core/base/error.hpp"
#include "core/base/nearest.hpp"

namespace kvmscope {
namespace {

// Commands of that very name or alias, else those whose name begins so.
std::vector<const Command*> matches(const std::vector<Command>& catalogue, std::string_view name) {
  std::vector<const Command*> found;
  for (const Command& command : catalogue)
    if (std::find(command.names.begin(), command.names.end(), name) != command.names.end())
      return {&command};
  for (const Command& command : catalogue)
    if (!name.empty() && command.name().starts_with(name)) found.push_back(&command);
  return found;
}

}  // namespace

const std::vector<OutputOption>& output_options() {
  using Text = std::string_view;
  static const std::vector<OutputOption> all = {
      {"--format", "-f", "NAME", "table, tree, json, jsonl, csv, dot or report",
       [](OutputOptions& options, Text value) { options.format = find_format(value).name; }},
      {"--columns", "-o", "LIST", "columns or fields to show: A,B, +A (one more) or all",
       [](OutputOptions& options, Text value) { options.columns = value; }},
      {"--sort", "", "COL", "sort by a field or column; -COL or COL:desc: descending",
       [](OutputOptions& options, Text value) { options.sort = value; }},
      {"--no-header", "", "", "no header line",
       [](OutputOptions& options, Text) { options.header = false; }},
      {"--raw-numbers", "", "", "numbers instead of hex strings in JSON and CSV",
       [](OutputOptions& options, Text) { options.raw_numbers = true; }},
      {"--drgn", "", "", "what drgn and crash get at the same objects with, instead",
       [](OutputOptions& options, Text) { options.drgn = true; }},
  };
  return all;
}

const Command* match_command(const std::vector<Command>& catalogue, std::string_view name) {
  const std::vector<const Command*> found = matches(catalogue, name);
  return found.size() == 1 ? found.front() : nullptr;
}

const Command& find_command(const std::vector<Command>& catalogue, std::string_view name,
                            std::string_view group) {
  const std::vector<const Command*> found = matches(catalogue, name);
  if (found.size() == 1) return *found.front();
  std::vector<std::string_view> names;
  names.reserve(found.size());
  for (const Command* command : found) names.push_back(command->name());
  const std::string said = group.empty() ? std::string(name) : fmt::format("{} {}", group, name);
  if (!names.empty())
    throw_error(ErrorKind::usage, "'{}' is short for several commands: {}", said,
                fmt::join(names, ", "));
  for (const Command& command : catalogue)
    names.insert(names.end(), command.names.begin(), command.names.end());
  const std::vector<std::string_view> near = nearest_names(name, names);
  if (near.empty())
    throw_error(ErrorKind::usage, "unknown command '{}'; `help{}{}` lists the commands", said,
                group.empty() ? "" : " ", group);
  throw_error(ErrorKind::usage, "unknown command '{}'; did you mean {}?", said,
              fmt::join(near, " or "));
}

std::string subcommand_names(const Command& command) {
  std::string text;
  for (const Command& sub : command.subcommands) {
    if (!text.empty()) text += &sub == &command.subcommands.back() ? " or " : ", ";
    text += sub.name();
  }
  return text;
}

}  // namespace kvmscope
