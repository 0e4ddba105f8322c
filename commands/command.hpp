// What a command is: a value that names its arguments, options, records and table form.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/output/record.hpp"
#include "commands/output/row_sink.hpp"
#include "commands/output/view.hpp"

namespace kvmscope {

class Session;
struct OutputOptions;

// What must be at hand before a command runs.
enum class Needs { nothing, debug_info, target };

// What an argument means: gives parsing, completion, help and error text.
enum class ArgumentKind {
  text,
  number,      // 0x…, decimal, bare hex of 16 digits as an address
  address,     // a number, or gfn:N, gpa:N; kept as text
  range,       // START-END or START+SIZE, numbers
  vm,          // 3, 95-4, pid:95, address of a struct kvm
  rules,       // names of an audit's rules, with commas between them
  root,        // VM.VCPU[…], a shadow page, a root's hpa
  expression,  // C, takes the rest of the line, blanks included
  type,        // "struct kvm_vcpu", takes the rest of the line
  member,
  symbol,
  command,
  setting,
  file,          // of command lines
  data_file,     // any other
  seconds,       // 2, 0.5
  command_line,  // takes the rest of the line: a command with its arguments
};

struct Argument {
  std::string_view name;  // as help shows it: "ROOT"
  ArgumentKind kind = ArgumentKind::text;
  std::string_view help;
  bool optional = false;
  bool repeated = false;                     // the last one may come any number of times
  std::vector<std::string_view> words = {};  // all that it can be; empty: anything of its kind
};

struct Option {
  std::string_view name;                   // "--level"
  std::string_view value;                  // "N"; empty: a switch
  ArgumentKind kind = ArgumentKind::text;  // of the value
  std::string_view help;
};

// The arguments and options of one command line, checked against the declaration.
class Arguments {
 public:
  // Positional, by the declared name; none when it was left out.
  std::optional<std::string> text(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;  // a repeated argument
  bool has(std::string_view option) const;                    // "--unsync"
  std::optional<std::string> option(std::string_view name) const;
  // Seconds that were checked on parsing.
  std::optional<std::chrono::nanoseconds> seconds(std::string_view option) const;
  // Numbers that were checked on parsing.
  std::optional<std::uint64_t> number(std::string_view argument_or_option) const;

  // Where in the line a value of an argument or option starts, as columns of an Error that leaves
  // Command::run count: for those that are expressions beside the one that columns count from.
  std::size_t start(std::string_view name, std::size_t index = 0) const;

  // Filled by the parser.
  std::map<std::string, std::vector<std::string>, std::less<>> values;
  std::map<std::string, std::vector<std::size_t>, std::less<>> starts;
};

// Other records and another form, chosen by an option ("--summary").
struct Mode {
  std::string_view option;
  std::vector<Column> columns;
  View view = {};
};

struct Command {
  std::vector<std::string_view> names;  // the first is the name, the others are aliases
  std::string_view summary;             // one line, no capital, no full stop
  std::string_view details = {};        // more for `help COMMAND`; may have several lines
  Needs needs = Needs::target;
  // It changes the kernel: root is kept for it where kvmscope's own command line names it, and it
  // is refused where root was given up.
  bool needs_root = false;
  bool reads_target = false;  // needs none, but reads from the target where there is one
  // Whether a line needs a target though the command as such does not; none: no line does.
  std::function<bool(const Arguments&)> needs_target = {};
  // Opens the files that a line names (Session::files_ahead()), while the right to is there.
  std::function<void(Session&, const Arguments&)> open_ahead = {};
  std::vector<Argument> arguments = {};
  std::vector<Option> options = {};
  std::vector<Column> columns = {};  // the keys of its records
  View view = {};
  std::vector<Mode> modes = {};
  // Records and form that depend on the arguments; none: those above. May change how they look.
  std::function<std::optional<Mode>(Session&, const Arguments&, OutputOptions&)> shape = {};
  // The fields that tell a record from the others when the command is run again (watch); without
  // any a record's place in the result does.
  std::vector<std::string_view> keys = {};
  // Its records come over time: no pager.
  bool streams = false;
  // It streams rounds of records: on a terminal each replaces the one before it.
  bool repaints = false;
  std::vector<std::string_view> examples = {};
  // Named by the next word: "trace load". A command that has some does nothing of its own.
  std::vector<Command> subcommands = {};
  std::string_view group = {};  // of a sub-command: the name of the command that it belongs to
  // A column of an Error that leaves it counts from the start of the last expression or type
  // argument, as the expression engine counts.
  std::function<void(Session&, const Arguments&, RowSink&)> run = {};

  std::string_view name() const { return names.front(); }
  // As users type it: "roots", "trace load".
  std::string full_name() const {
    return group.empty() ? std::string(name()) : std::string(group) + ' ' + std::string(name());
  }
};

// A number as users write it: 0x…, decimal, or 16 bare hex digits. Throws Error{usage}.
std::uint64_t parse_number(std::string_view text);
// "2", "0.25": from a millisecond to a century. Throws Error{usage}.
std::chrono::nanoseconds parse_seconds(std::string_view text);

}  // namespace kvmscope
