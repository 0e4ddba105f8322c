#include "commands/shell/complete_outside.hpp"

#include <algorithm>
#include <optional>

#include "commands/shell/arguments.hpp"
#include "commands/shell/caught.hpp"
#include "commands/shell/complete.hpp"
#include "commands/shell/program_options.hpp"

namespace kvmscope {
namespace {

using Candidates = std::vector<OutsideCandidate>;
using Then = OutsideCandidate::Then;

class NoDebugFiles : public DebugFinder {
 public:
  DebugSearch find(std::string_view, std::string_view, std::string_view) const override {
    return {};
  }
  const SymbolSource* system_map() const override { return nullptr; }
};

Candidates a_file() {
  return {{"", Then::file, ""}};
}

void add_if_fits(Candidates& found, std::string_view typed, std::string_view word,
                 std::string_view help) {
  if (!word.empty() && word.starts_with(typed))
    found.push_back({std::string(word), Then::blank, std::string(help)});
}

// A word of a line of kvmscope's. One that its lexer would split or unquote names no command,
// option or setting, and nothing but those decides what follows.
std::string plain(const std::string& word) {
  constexpr std::string_view harmless =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:/=+@%";
  return !word.empty() && word.find_first_not_of(harmless) == word.npos ? word : "x";
}

// "--depth=pa" is two words to complete in.
std::vector<std::string> split_last(std::vector<std::string> words) {
  const std::string last = words.empty() ? "" : words.back();
  const std::size_t equals = last.starts_with("--") ? last.find('=') : last.npos;
  if (equals == last.npos) return words;
  words.back() = last.substr(0, equals);
  words.push_back(last.substr(equals + 1));
  return words;
}

const ProgramOption* find(const std::vector<ProgramOption>& options, const std::string& word) {
  const auto found = std::find_if(options.begin(), options.end(), [&](const ProgramOption& option) {
    return word == option.name || (!option.short_name.empty() && word == option.short_name);
  });
  return found == options.end() ? nullptr : &*found;
}

Candidates values_of(const ProgramOption& option, const std::string& typed) {
  if (option.value == "FILE" || option.value == "PATH") return a_file();
  Candidates found;
  if (option.name == "--format")
    for (const OutputFormat& format : formats()) add_if_fits(found, typed, format.name, "");
  return found;
}

// Where a command may stand: one of them, an option, or a file to open.
Candidates beginnings(const std::vector<Command>& catalogue,
                      const std::vector<ProgramOption>& options, const std::string& typed) {
  Candidates found;
  if (typed.starts_with('-')) {
    for (const ProgramOption& option : options)
      add_if_fits(found, typed, option.name.empty() ? option.short_name : option.name, option.help);
    return found;
  }
  for (const Command& command : catalogue)
    for (const std::string_view name : command.names)
      if (std::isalpha(static_cast<unsigned char>(name.front())) != 0)
        add_if_fits(found, typed, name, command.summary);
  return found.empty() ? a_file() : found;
}

// What is said of a candidate behind those words, which start with a command's name.
std::string_view help_of(const std::vector<Command>& catalogue,
                         const std::vector<std::string>& words, std::string_view candidate) {
  const Command* command = match_command(catalogue, words.front());
  if (command == nullptr) return "";
  for (const Command& sub : command->subcommands) {
    if (words.size() == 2 && sub.name() == candidate) return sub.summary;
    if (words.size() > 2 && match_command(command->subcommands, words[1]) == &sub) command = &sub;
    if (command == &sub) break;
  }
  const KnownOption option = find_option(*command, candidate);
  if (option.own != nullptr) return option.own->help;
  return option.shared != nullptr ? option.shared->help : "";
}

Candidates in_command(const std::vector<Command>& catalogue,
                      const std::vector<std::string>& words) {
  const NoDebugFiles none;
  Output out;
  Messages messages(out, false, false);
  Console console{.out = &out, .messages = messages};
  Session session({}, none, catalogue, console);
  std::string line;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) line += plain(words[i]) + ' ';
  const std::size_t start = line.size();
  line += words.back();
  Completion completion;
  // A member of what only a target knows has no candidates.
  caught([&] { completion = complete(session, line, line.size()); });
  if (completion.are_files) return a_file();
  Candidates found;
  if (completion.start < start) return found;
  const std::string kept = line.substr(start, completion.start - start);
  for (const std::string& candidate : completion.candidates)
    found.push_back({kept + candidate, completion.ends_word ? Then::blank : Then::nothing,
                     std::string(help_of(catalogue, words, candidate))});
  return found;
}

}  // namespace

std::vector<OutsideCandidate> complete_outside(const std::vector<Command>& catalogue,
                                               const std::vector<std::string>& words) {
  if (words.empty()) return {};
  const std::vector<std::string> all = split_last(words);
  const std::vector<ProgramOption> options = program_options();
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    if (match_command(catalogue, all[i]) != nullptr)
      return in_command(catalogue, {all.begin() + static_cast<std::ptrdiff_t>(i), all.end()});
    const ProgramOption* option = find(options, all[i]);
    if (option == nullptr || option->value.empty()) continue;
    if (++i + 1 == all.size()) return values_of(*option, all.back());
    // What follows is for the program, which declares nothing.
    if (option->name == "--script" && all[i].ends_with(".lua")) return a_file();
  }
  return beginnings(catalogue, options, all.back());
}

}  // namespace kvmscope
