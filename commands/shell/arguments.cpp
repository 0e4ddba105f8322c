#include "commands/shell/arguments.hpp"

#include <cctype>
#include <utility>

#include <fmt/ranges.h>

#include "commands/shell/line_error.hpp"
#include "core/base/nearest.hpp"

namespace kvmscope {
namespace {

// Checks a value as far as its kind alone allows.
void check_value(ArgumentKind kind, std::string_view text, std::size_t column) {
  if (kind == ArgumentKind::number) point_at(column, [&] { parse_number(text); });
  if (kind == ArgumentKind::seconds) point_at(column, [&] { parse_seconds(text); });
}

void check_words(const Argument& argument, std::string_view text, std::size_t column) {
  const std::vector<std::string_view>& words = argument.words;
  if (words.empty() || std::find(words.begin(), words.end(), text) != words.end()) return;
  fail_at(column,
          fmt::format("'{}' is no {}; there are: {}", text, argument.name, fmt::join(words, ", ")));
}

bool is_raw(ArgumentKind kind) {
  return kind == ArgumentKind::expression || kind == ArgumentKind::type ||
         kind == ArgumentKind::command_line;
}

// Goes through the words of a line from left to right.
class Parser {
 public:
  // The first `name_words` words name the command.
  Parser(std::string_view line, const std::vector<Word>& words, std::size_t name_words,
         ParsedLine& parsed)
      : line_(line), words_(words), parsed_(parsed), command_(*parsed.command), next_(name_words) {}

  void parse() {
    while (next_ < words_.size()) {
      const Word& word = words_[next_];
      if (!options_ended_ && !word.quoted && word.text == "--") {
        options_ended_ = true;
        ++next_;
      } else if (!is_option(word) || !parse_option()) {
        parse_positional();
      }
    }
    for (; argument_ < command_.arguments.size(); ++argument_) {
      const Argument& missing = command_.arguments[argument_];
      if (!missing.optional && !parsed_.args.values.contains(missing.name))
        fail(line_.size(), fmt::format("{} is missing", missing.name));
    }
  }

 private:
  [[noreturn]] void fail(std::size_t column, const std::string& message) const {
    fail_at(column, fmt::format("{}: {}; see `help {}`", command_.full_name(), message,
                                command_.full_name()));
  }

  bool is_option(const Word& word) const {
    return !options_ended_ && !word.quoted && word.text.size() > 1 && word.text[0] == '-' &&
           std::isdigit(static_cast<unsigned char>(word.text[1])) == 0;
  }

  // Returns false when the word starts an expression instead ("-x").
  bool parse_option() {
    const Word& word = words_[next_];
    const std::size_t equals = word.text.starts_with("--") ? word.text.find('=') : word.text.npos;
    const std::string name = word.text.substr(0, equals);
    const KnownOption option = find_option(command_, name);
    if (!option) {
      if (!name.starts_with("--") && takes_rest(command_, argument_)) return false;
      unknown_option(word, name);
    }
    ++next_;
    if (!option.takes_value()) {
      if (equals != std::string::npos)
        fail(word.start + equals, fmt::format("{} takes no value", name));
      store(option, "", word.start);
    } else if (equals != std::string::npos) {
      store(option, word.text.substr(equals + 1), word.start + equals + 1);
    } else {
      if (next_ == words_.size()) fail(word.end, fmt::format("{} needs a value", name));
      store(option, words_[next_].text, words_[next_].start);
      ++next_;
    }
    return true;
  }

  [[noreturn]] void unknown_option(const Word& word, const std::string& name) const {
    std::vector<std::string_view> names;
    for (const Option& option : command_.options) names.push_back(option.name);
    for (const OutputOption& option : output_options()) names.push_back(option.name);
    const std::vector<std::string_view> near = nearest_names(name, names);
    fail(word.start, fmt::format("no option {}{}{}", name, near.empty() ? "" : "; did you mean ",
                                 fmt::join(near, ", ")));
  }

  void store(const KnownOption& option, std::string value, std::size_t column) {
    if (option.shared != nullptr && option.own == nullptr) {
      return point_at(column, [&] { option.shared->set(parsed_.output, value); });
    }
    check_value(option.own->kind, value, column);
    keep(option.own->name, std::move(value), column);
  }

  void parse_positional() {
    const Word& word = words_[next_];
    const bool again = argument_ > 0 && argument_ == command_.arguments.size() &&
                       command_.arguments.back().repeated;
    if (argument_ == command_.arguments.size() && !again)
      fail(word.start, command_.arguments.empty() ? "takes no arguments" : "too many arguments");
    const Argument& argument = command_.arguments[again ? argument_ - 1 : argument_];
    std::string text = word.text;
    std::size_t past = next_ + 1;
    if (takes_rest(command_, argument_)) past = options_at_end();
    if (is_raw(argument.kind) && !argument.repeated) {
      // As it was typed: quotes are C's here, or another command's.
      text = line_.substr(word.start, words_[past - 1].end - word.start);
      parsed_.text_start = word.start;
    }
    check_value(argument.kind, text, word.start);
    check_words(argument, text, word.start);
    keep(argument.name, std::move(text), word.start);
    next_ = past;
    if (!again) ++argument_;
  }

  void keep(std::string_view name, std::string value, std::size_t column) {
    const bool is_quoted = column < line_.size() && (line_[column] == '\'' || line_[column] == '"');
    parsed_.args.values[std::string(name)].push_back(std::move(value));
    parsed_.args.starts[std::string(name)].push_back(column + (is_quoted ? 1 : 0));
  }

  // Behind an expression, only words that are options with their values up to the end of the line
  // are options: `x -f json` is no C, `x -f` is.
  std::size_t options_at_end() const {
    if (options_ended_) return words_.size();
    for (std::size_t start = next_ + 1; start < words_.size(); ++start)
      if (are_options(start)) return start;
    return words_.size();
  }

  bool are_options(std::size_t at) const {
    while (at < words_.size()) {
      const std::string& text = words_[at].text;
      const std::size_t equals = text.starts_with("--") ? text.find('=') : text.npos;
      const KnownOption option = find_option(command_, text.substr(0, equals));
      if (words_[at].quoted || !option) return false;
      at += option.takes_value() && equals == std::string::npos ? 2 : 1;
    }
    return at == words_.size();
  }

  std::string_view line_;
  const std::vector<Word>& words_;
  ParsedLine& parsed_;
  const Command& command_;
  std::size_t next_;          // word
  std::size_t argument_ = 0;  // positional argument that comes next
  bool options_ended_ = false;
};

// A command, and how many words name it.
struct NamedCommand {
  const Command* command = nullptr;
  std::size_t words = 0;
};

NamedCommand named_command(const std::vector<Command>& catalogue, std::string_view line,
                           const std::vector<Word>& words) {
  NamedCommand named;
  const std::vector<Command>* known = &catalogue;
  std::string group;
  do {
    if (named.words == words.size())
      fail_at(line.size(), fmt::format("{}: say which: {}; see `help {}`", group,
                                       subcommand_names(*named.command), group));
    const Word& word = words[named.words++];
    named.command = point_at(word.start, [&] { return &find_command(*known, word.text, group); });
    known = &named.command->subcommands;
    group = named.command->full_name();
  } while (!known->empty());
  return named;
}

}  // namespace

bool takes_rest(const Command& command, std::size_t argument) {
  if (argument + 1 != command.arguments.size()) return false;
  const Argument& last = command.arguments[argument];
  return !last.repeated && is_raw(last.kind);
}

KnownOption find_option(const Command& command, std::string_view name) {
  for (const Option& option : command.options)
    if (option.name == name) return {.own = &option};
  for (const OutputOption& option : output_options())
    if (option.name == name || (!option.short_name.empty() && option.short_name == name))
      return {.shared = &option};
  return {};
}

ParsedLine parse_line(const std::vector<Command>& catalogue, std::string_view line,
                      const std::vector<Word>& words, const OutputOptions& defaults) {
  const NamedCommand named = named_command(catalogue, line, words);
  ParsedLine parsed;
  parsed.command = named.command;
  parsed.output = defaults;
  parsed.text_start = words[named.words - 1].end;
  Parser(line, words, named.words, parsed).parse();
  // Columns of errors count from the text's start: of a value before it the difference wraps, and
  // comes out right when it is added again.
  for (auto& [name, starts] : parsed.args.starts)
    for (std::size_t& start : starts) start -= parsed.text_start;
  return parsed;
}

}  // namespace kvmscope
