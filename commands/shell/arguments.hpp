// Turns the words of a line into checked arguments, by what the command declares.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "commands/command.hpp"
#include "commands/output/renderer.hpp"
#include "commands/shell/lexer.hpp"

namespace kvmscope {

// An option that works after any command, and before it on the program's command line.
struct OutputOption {
  std::string_view name;        // "--format"
  std::string_view short_name;  // "-f"; may be empty
  std::string_view value;       // "NAME"; empty: a switch
  std::string_view help;
  void (*set)(OutputOptions& options, std::string_view value);  // throws Error{usage}
};
const std::vector<OutputOption>& output_options();

struct ParsedLine {
  const Command* command = nullptr;
  Arguments args;
  OutputOptions output;
  // Where columns of an Error that leaves Command::run count from: the text of the last
  // expression or type argument, else the end of the command's name.
  std::size_t text_start = 0;
};

// `words` are those of `line`, not empty. Errors are Error{usage} with a column and say what to do.
ParsedLine parse_line(const std::vector<Command>& catalogue, std::string_view line,
                      const std::vector<Word>& words, const OutputOptions& defaults);

// By name, alias or unique beginning of a name; nullptr when there is none. Exact names win.
const Command* match_command(const std::vector<Command>& catalogue, std::string_view name);
// The same; throws Error{usage} that proposes near names. `group`: whose sub-commands these are.
const Command& find_command(const std::vector<Command>& catalogue, std::string_view name,
                            std::string_view group = "");
// "load, unsync, events or at"
std::string subcommand_names(const Command& command);

// Whether this argument takes all that is left of the line: an expression, a type or a
// command line that comes last.
bool takes_rest(const Command& command, std::size_t argument);

// An option of the command or one that shapes output; both nullptr when it is neither.
struct KnownOption {
  const Option* own = nullptr;
  const OutputOption* shared = nullptr;
  explicit operator bool() const { return own != nullptr || shared != nullptr; }
  bool takes_value() const {
    return own != nullptr ? !own->value.empty() : shared != nullptr && !shared->value.empty();
  }
};
KnownOption find_option(const Command& command, std::string_view name);

}  // namespace kvmscope
