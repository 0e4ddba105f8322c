#include "commands/shell/complete.hpp"

#include <algorithm>
#include <optional>

#include "commands/output/escape.hpp"
#include "commands/shell/arguments.hpp"
#include "commands/shell/candidates.hpp"
#include "commands/shell/complete_expression.hpp"
#include "commands/shell/lexer.hpp"

namespace kvmscope {
namespace {

using Names = std::vector<std::string>;

// What is known about the line left of the cursor.
struct Place {
  const Command* command = nullptr;
  Word current;                       // the word at the cursor; may be empty
  std::size_t argument = 0;           // positional argument that it would be
  std::string_view before;            // the argument before that one, as typed
  std::optional<std::size_t> rest;    // where an expression started that takes the rest
  std::optional<KnownOption> option;  // whose value it would be
};

// The first `name_words` words name the command.
Place find_place(const Command& command, const std::vector<Word>& words, std::size_t name_words) {
  Place place;
  place.command = &command;
  place.current = words.back();
  const std::size_t last = words.size() - 1;
  for (std::size_t i = name_words; i < last; ++i) {
    const Word& word = words[i];
    const KnownOption option = word.quoted ? KnownOption() : find_option(command, word.text);
    if (option) {
      const bool has_value = option.takes_value();
      if (has_value && i + 1 == last) place.option = option;
      if (has_value) ++i;
    } else if (!place.rest && !word.text.starts_with("--")) {
      // Options may stand behind an expression, nothing else may.
      if (takes_rest(command, place.argument)) place.rest = word.start;
      place.before = word.text;
      ++place.argument;
    }
  }
  return place;
}

// The whole word is replaced.
Completion simple(const Word& current, Names names) {
  return {.start = current.start, .candidates = std::move(names), .ends_word = true};
}

Completion of_kind(Session& session, ArgumentKind kind, const Word& current) {
  Completion completion = simple(current, candidates(session, kind, current.text));
  if (kind == ArgumentKind::rules) {
    // The last name of "a,b,c".
    const std::size_t comma = current.text.rfind(',');
    completion.start += comma == std::string::npos ? 0 : comma + 1;
    completion.ends_word = false;
  }
  completion.are_files = kind == ArgumentKind::file || kind == ArgumentKind::data_file;
  return completion;
}

// The last name of "a,b,c", of "+a" or "-a".
Completion complete_fields(const Command& command, const Word& current) {
  const std::size_t split = current.text.find_last_of(",+-");
  Completion completion{.start = current.start + (split == std::string::npos ? 0 : split + 1),
                        .candidates = {"all"},
                        .ends_word = false};
  for (const Column& column : command.columns) completion.candidates.emplace_back(column.name);
  for (const TableColumn& column : command.view.table)
    if (!column.header.empty()) completion.candidates.emplace_back(column.header);
  return completion;
}

Completion complete_value(Session& session, const Place& place) {
  if (place.option->own != nullptr) return of_kind(session, place.option->own->kind, place.current);
  if (place.option->shared->name != "--format")
    return complete_fields(*place.command, place.current);
  Completion completion = simple(place.current, {});
  for (const OutputFormat& format : formats()) completion.candidates.emplace_back(format.name);
  return completion;
}

Completion complete_option(const Place& place) {
  Completion completion = simple(place.current, {});
  for (const Option& option : place.command->options)
    completion.candidates.emplace_back(option.name);
  for (const OutputOption& option : output_options())
    completion.candidates.emplace_back(option.name);
  return completion;
}

Completion complete_setting_value(const Place& place) {
  Completion completion = simple(place.current, {});
  for (const Setting& setting : all_settings())
    if (setting.name == place.before)
      for (const std::string_view value : setting.values())
        completion.candidates.emplace_back(value);
  return completion;
}

Completion complete_argument(Session& session, const Place& place, std::string_view text) {
  const std::vector<Argument>& arguments = place.command->arguments;
  if (arguments.empty()) return {};
  const bool more =
      place.argument < arguments.size() || arguments.back().repeated || place.rest.has_value();
  if (!more) return {};
  const std::size_t index = std::min(place.argument, arguments.size() - 1);
  const ArgumentKind kind = arguments[index].kind;
  if (!arguments[index].words.empty())
    return simple(place.current,
                  Names(arguments[index].words.begin(), arguments[index].words.end()));
  if (kind == ArgumentKind::command && place.argument > 0) {
    const Command* command = match_command(session.catalogue(), place.before);
    return simple(place.current,
                  command != nullptr ? command_names(command->subcommands) : Names());
  }
  if (kind == ArgumentKind::expression || kind == ArgumentKind::type) {
    const std::size_t start = place.rest.value_or(place.current.start);
    Completion completion =
        complete_expression(session, text.substr(start), kind == ArgumentKind::type);
    completion.start += start;
    completion.ends_word = false;
    return completion;
  }
  if (index > 0 && arguments[index - 1].kind == ArgumentKind::setting)
    return complete_setting_value(place);
  return of_kind(session, kind, place.current);
}

// The word that a redirection's target would be; none when the cursor is not behind one.
std::optional<std::string_view> redirection_before(const std::vector<Word>& words) {
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    for (const std::string_view redirection : {"|", ">", ">>"})
      if (!words[i].quoted && words[i].text == redirection) return redirection;
  return std::nullopt;
}

Completion all_candidates(Session& session, std::string_view text);

// A command line inside this one, behind options of ours.
std::optional<Completion> complete_inner_line(Session& session, const Place& place,
                                              std::string_view text) {
  const std::vector<Argument>& arguments = place.command->arguments;
  const bool has_line = !arguments.empty() && takes_rest(*place.command, arguments.size() - 1) &&
                        arguments.back().kind == ArgumentKind::command_line;
  const std::size_t at = std::min(place.argument, arguments.size());
  if (!has_line || (!place.rest && at + 1 != arguments.size())) return std::nullopt;
  if (!place.rest && place.current.text.starts_with('-')) return std::nullopt;
  const std::size_t start = place.rest.value_or(place.current.start);
  Completion completion = all_candidates(session, text.substr(start));
  completion.start += start;
  // Our options may stand behind the line, too.
  if (place.current.text.starts_with("--") && completion.start == place.current.start)
    for (const Option& option : place.command->options)
      completion.candidates.emplace_back(option.name);
  return completion;
}

Completion all_candidates(Session& session, std::string_view text) {
  std::vector<Word> words = split_unfinished(text);
  if (words.empty() || words.back().end != text.size())
    words.push_back({.text = "", .start = text.size(), .end = text.size(), .quoted = false});
  const Word& current = words.back();
  if (const std::optional<std::string_view> redirection = redirection_before(words)) {
    if (*redirection == "|") return {};
    return simple(current, file_candidates(current.text));
  }
  const std::vector<Command>* known = &session.catalogue();
  const Command* command = nullptr;
  std::size_t name_words = 0;
  do {
    if (name_words + 1 == words.size()) return simple(current, command_names(*known));
    command = match_command(*known, words[name_words++].text);
    if (command == nullptr) return {};
    known = &command->subcommands;
  } while (!known->empty());
  const Place place = find_place(*command, words, name_words);
  if (place.option) return complete_value(session, place);
  if (std::optional<Completion> inner = complete_inner_line(session, place, text)) return *inner;
  const std::string_view sign = place.rest ? "--" : "-";
  if (!current.quoted && current.text.starts_with(sign)) return complete_option(place);
  return complete_argument(session, place, text);
}

}  // namespace

Completion complete(Session& session, std::string_view line, std::size_t cursor) {
  const std::string_view text = line.substr(0, cursor);
  Completion completion = all_candidates(session, text);
  const std::string_view typed = text.substr(std::min(completion.start, text.size()));
  Names& names = completion.candidates;
  // A name from a broken target must not reach the terminal.
  std::erase_if(names, [&](const std::string& name) {
    return !name.starts_with(typed) || escape_text(name) != name;
  });
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return completion;
}

}  // namespace kvmscope
