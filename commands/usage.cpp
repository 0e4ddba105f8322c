#include "commands/usage.hpp"

#include <fmt/format.h>

namespace kvmscope {

std::string usage(const Command& command) {
  std::string text = command.full_name();
  if (!command.subcommands.empty()) text += " COMMAND";
  if (!command.options.empty()) text += " [OPTION...]";
  for (const Argument& argument : command.arguments) {
    const std::string name = fmt::format("{}{}", argument.name, argument.repeated ? "..." : "");
    text += argument.optional ? fmt::format(" [{}]", name) : ' ' + name;
  }
  return text;
}

std::string_view word(Needs needs) {
  switch (needs) {
    case Needs::nothing: return "nothing";
    case Needs::debug_info: return "debug info";
    case Needs::target: return "target";
  }
  return "";
}

std::string_view needs_text(const Command& command) {
  if (command.needs_root)
    return "Needs the kernel that runs, its debug info and root, which kvmscope keeps only for a "
           "trace\nthat its own command line names: `sudo kvmscope trace ...`. Not for a dump.";
  switch (command.needs) {
    case Needs::nothing: return "Needs neither a target nor debug info.";
    case Needs::debug_info: return "Needs debug info, from -s or of the target's kernel.";
    case Needs::target:
      return "Needs a target: a dump (-c FILE) or, as root, the kernel that runs.";
  }
  return "";
}

std::string option_text(std::string_view name, std::string_view value) {
  return value.empty() ? std::string(name) : fmt::format("{} {}", name, value);
}

std::string names_of(const OutputOption& option) {
  return option.short_name.empty() ? std::string(option.name)
                                   : fmt::format("{}, {}", option.short_name, option.name);
}

}  // namespace kvmscope
