#include "core/probe/definition.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace kvmscope::probe {
namespace {

struct Meaning {
  std::string_view kernel;  // the message, kernel/trace/trace_probe.h
  std::string_view ours;
};
// What each message means to somebody who has not written the definition by hand. One that is not
// here is shown as the kernel says it.
constexpr std::array<Meaning, 13> meanings = {{
    {"Invalid probed address or symbol",
     "the kernel has no such function, or none that may be probed: is its module loaded?"},
    {"Failed to register probe event",
     "the kernel allows no probe there: it is in /sys/kernel/debug/kprobes/blacklist, or its "
     "module is not loaded"},
    {"Probe point is not an instruction boundary",
     "no instruction starts there: the debug files are of another build than this kernel"},
    {"Retprobe address must be an function entry",
     "a return can only be probed of a whole function"},
    {"Invalid register name", "this kernel knows no such register"},
    {"Dereference is too much nested", "too many pointers are followed in one value"},
    {"Unknown type is specified", "this kernel knows no such type of value"},
    {"Invalid bitfield", "these bits do not fit into their type"},
    {"Argument expression is too long", "the value is too long for this kernel"},
    {"Argument name is too long", "the value's name is too long for this kernel"},
    {"Event name is too long", "the event's name is too long for this kernel"},
    {"$retval is not available on probe", "$retval exists at a return only (--return)"},
    {"Too many arguments are specified", "too many values for one probe"},
}};

std::string_view in_our_words(std::string_view message) {
  for (const Meaning& meaning : meanings)
    if (message.starts_with(meaning.kernel)) return meaning.ours;
  return message;
}

// The last entry of error_log: "[ 1.5] trace_kprobe: error: MESSAGE", "  Command: DEFINITION" and
// a line with a caret below the place.
struct Entry {
  std::string_view message;
  std::string_view command;
  std::size_t caret = 0;  // from the start of the command
};

std::string_view line_at(std::string_view text, std::size_t start) {
  return text.substr(start, text.find('\n', start) - start);
}

Entry last_entry(std::string_view log) {
  constexpr std::string_view error = "error: ";
  constexpr std::string_view command = "\n  Command: ";
  Entry entry;
  const std::size_t command_at = log.rfind(command);
  if (command_at == log.npos) return entry;
  const std::size_t error_at = log.rfind(error, command_at);
  if (error_at == log.npos) return entry;
  entry.message = line_at(log, error_at + error.size());
  const std::size_t command_start = command_at + command.size();
  entry.command = line_at(log, command_start);
  const std::size_t caret_line = command_start + entry.command.size() + 1;
  if (caret_line >= log.size()) return entry;
  const std::size_t caret = line_at(log, caret_line).find('^');
  constexpr std::size_t indent = command.size() - 1;
  if (caret != log.npos && caret >= indent && caret - indent < entry.command.size())
    entry.caret = caret - indent;
  return entry;
}

std::string_view meaning_of(int failed) {
  switch (failed) {
    case EEXIST: return "the kernel has such an event already";
    case ENOENT: return "the kernel has no such function: is its module loaded?";
    case EILSEQ: return "no instruction starts there, or another tool has changed it";
    case EACCES:
    case EPERM: return "not allowed: run it as root; the kernel may be locked down (lockdown)";
    default: return std::strerror(failed);
  }
}

}  // namespace

std::string definition(const Probe& probe, std::string_view group) {
  std::string text =
      fmt::format("{}:{}/{} {}", probe.at_return ? 'r' : 'p', group, probe.event, probe.place);
  for (const FetchArg& arg : probe.args) text += fmt::format(" {}={}", arg.field, arg.fetch);
  return text;
}

std::string refusal(std::string_view definition, int failed, std::string_view error_log) {
  const Entry entry = last_entry(error_log);
  const bool about_it = !entry.message.empty() && entry.command == definition;
  if (!about_it) return fmt::format("the kernel refused '{}': {}", definition, meaning_of(failed));
  const std::string_view from = definition.substr(entry.caret);
  return fmt::format("the kernel refused '{}' at '{}': {}", definition,
                     from.substr(0, from.find(' ')), in_our_words(entry.message));
}

}  // namespace kvmscope::probe
