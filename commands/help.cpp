// help: the commands, and what one of them takes and says, from its declaration.

#include <algorithm>

#include <fmt/ranges.h>

#include "commands/catalogue.hpp"
#include "commands/manual.hpp"
#include "commands/shell/arguments.hpp"
#include "commands/shell/complete_outside.hpp"
#include "commands/shell/session.hpp"
#include "commands/usage.hpp"

namespace kvmscope {
namespace {

// A list of "name   what it is", its names aligned.
class Section {
 public:
  void add(std::string name, std::string_view help) {
    width_ = std::max(width_, name.size());
    lines_.emplace_back(std::move(name), help);
  }
  std::string text(std::string_view title) const {
    if (lines_.empty()) return "";
    std::string text = fmt::format("\n{}:\n", title);
    for (const auto& [name, help] : lines_)
      text += help.empty() ? fmt::format("  {}\n", name)
                           : fmt::format("  {:<{}}  {}\n", name, width_, help);
    return text;
  }

 private:
  std::size_t width_ = 0;
  std::vector<std::pair<std::string, std::string_view>> lines_;
};

std::string options_text(const Command& command) {
  Section own;
  for (const Option& option : command.options)
    own.add(option_text(option.name, option.value), option.help);
  Section shared;
  for (const OutputOption& option : output_options())
    shared.add(option_text(names_of(option), option.value), option.help);
  return own.text("Options") +
         (command.columns.empty() ? "" : shared.text("Options of every command"));
}

std::string fields_text(std::span<const Column> columns, std::string_view title) {
  Section fields;
  for (const Column& column : columns)
    if (!column.form_only) fields.add(std::string(column.name), column.help);
  return fields.text(title);
}

std::string help_text(const Command& command) {
  std::string text = fmt::format("{}\n  {}\n", usage(command), command.summary);
  if (!command.details.empty()) text += fmt::format("\n{}\n", command.details);
  if (command.names.size() > 1)
    text += fmt::format("\nAlso called {}.\n",
                        fmt::join(command.names.begin() + 1, command.names.end(), ", "));
  Section subcommands;
  for (const Command& sub : command.subcommands) subcommands.add(sub.full_name(), sub.summary);
  text += subcommands.text("Commands");
  Section arguments;
  for (const Argument& argument : command.arguments)
    arguments.add(std::string(argument.name), argument.help);
  text += arguments.text("Arguments") + options_text(command);
  text += fields_text(command.columns, "Fields (keys in JSON, names for -o and --sort)");
  for (const Mode& mode : command.modes)
    text += fields_text(mode.columns, fmt::format("Fields with {}", mode.option));
  Section examples;
  for (const std::string_view example : command.examples) examples.add(std::string(example), "");
  text += examples.text("Examples");
  if (!command.subcommands.empty())
    return fmt::format("{}\n`help {} COMMAND` says more.\n", text, command.full_name());
  return fmt::format("{}\n{}\n", text, needs_text(command));
}

Record record_of(const Command& command, bool with_text) {
  Words aliases(command.names.begin() + 1, command.names.end());
  return {{command.full_name(), std::move(aliases), std::string(command.summary),
           std::string(word(command.needs)), usage(command),
           with_text ? Value{help_text(command)} : Value{}}};
}

// The command that these words name: "trace", "load".
const Command& named(const std::vector<Command>& catalogue, const std::vector<std::string>& names) {
  const std::vector<Command>* known = &catalogue;
  const Command* command = nullptr;
  std::string group;
  for (const std::string& name : names) {
    if (command != nullptr && known->empty())
      throw_error(ErrorKind::usage, "{} has no commands of its own, such as '{}'", group, name);
    command = &find_command(*known, name, group);
    known = &command->subcommands;
    group = command->full_name();
  }
  return *command;
}

std::string_view word(OutsideCandidate::Then then) {
  switch (then) {
    case OutsideCandidate::Then::blank: return "blank";
    case OutsideCandidate::Then::nothing: return "nothing";
    case OutsideCandidate::Then::file: return "file";
  }
  return "";
}

void show_help(Session& session, const Arguments& args, RowSink& rows) {
  const std::vector<std::string> names = args.all("COMMAND");
  if (args.has("--man")) return rows.add({{manual(session.catalogue())}});
  if (args.has("--complete")) {
    for (const OutsideCandidate& candidate : complete_outside(session.catalogue(), names))
      rows.add({{std::string(word(candidate.then)), candidate.word, candidate.help}});
    return;
  }
  if (!names.empty()) return rows.add(record_of(named(session.catalogue(), names), true));
  for (const Command& command : session.catalogue()) {
    if (command.subcommands.empty()) rows.add(record_of(command, false));
    for (const Command& sub : command.subcommands) rows.add(record_of(sub, false));
  }
  rows.footer("");
  rows.footer("`help COMMAND` says more. COMMAND | PROGRAM and COMMAND > FILE send a result on.");
}

// The whole text of one command, or a line in the list of all.
std::string block(const RecordView& record) {
  if (!record.is_null("text")) return record.text("text");
  return fmt::format("  {:<12} {}\n", record.text("name"), record.text("summary"));
}

std::vector<Mode> modes() {
  using K = ColumnKind;
  return {
      {.option = "--man",
       .columns = {{"roff", K::text, "kvmscope(1), for man"}},
       .view = {.block = [](const RecordView& record) { return record.text("roff"); }}},
      {.option = "--complete",
       .columns = {{"then", K::text, "what follows: blank, nothing; file: complete a file's name"},
                   {"word", K::text, "what the last word could become"},
                   {"help", K::text, "what it is; may be empty"}},
       .view = {.block =
                    [](const RecordView& record) {
                      return fmt::format("{}\t{}\t{}\n", record.text("then"), record.text("word"),
                                         record.text("help"));
                    }}},
  };
}

}  // namespace

Command help() {
  using K = ColumnKind;
  return {
      .names = {"help", "?"},
      .summary = "list the commands, or say all about one",
      .needs = Needs::nothing,
      .arguments = {{"COMMAND", ArgumentKind::command, "its name; all commands when left out", true,
                     true}},
      .options = {{"--man", "", ArgumentKind::text,
                   "the manual page instead, as roff: help --man | man -l -"},
                  {"--complete", "", ArgumentKind::text,
                   "for a shell's completion: what follows kvmscope's words behind -- could be"}},
      .columns = {{"name", K::text, "what to type"},
                  {"aliases", K::words, "other names"},
                  {"summary", K::text, "what it does"},
                  {"needs", K::text, "nothing, debug info or target"},
                  {"usage", K::text, "its arguments"},
                  {"text", K::text, "the whole help; null in the list of all commands"}},
      .view = {.block = block},
      .modes = modes(),
      .examples = {"help", "help set", "help trace load", "help -f json",
                   "help --complete -- roots --fo"},
      .run = show_help,
  };
}

}  // namespace kvmscope
