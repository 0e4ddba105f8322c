#include "commands/shell/lexer.hpp"

#include "commands/shell/line_error.hpp"

namespace kvmscope {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Follows quotes and parentheses through a line, one character after the other.
class Scanner {
 public:
  // Takes in the character at `at`; a backslash inside quotes takes the next one with it.
  void take(std::string_view line, std::size_t at) {
    const char c = line[at];
    if (escaped_) {
      escaped_ = false;
      return;
    }
    if (quote_ != 0) {
      if (c == '\\') escaped_ = true;
      if (c == quote_) quote_ = 0;
      return;
    }
    if (c == '"' || c == '\'') {
      quote_ = c;
      quote_at_ = at;
    }
    if (c == '(') ++parentheses_;
    if (c == ')' && parentheses_ > 0) --parentheses_;
    if (c == '[') ++brackets_;
    if (c == ']' && brackets_ > 0) --brackets_;
  }
  bool in_quotes() const { return quote_ != 0; }
  bool in_parentheses() const { return parentheses_ > 0; }
  bool in_brackets() const { return brackets_ > 0; }
  std::size_t quote_at() const { return quote_at_; }

 private:
  char quote_ = 0;  // the one that is open
  bool escaped_ = false;
  std::size_t quote_at_ = 0;
  unsigned parentheses_ = 0;
  unsigned brackets_ = 0;
};

// Where the word that starts at `start` ends.
std::size_t end_of_word(std::string_view line, std::size_t start, bool finished) {
  Scanner scanner;
  std::size_t at = start;
  for (; at < line.size(); ++at) {
    const bool inside = scanner.in_quotes() || scanner.in_parentheses() || scanner.in_brackets();
    if (!inside && is_blank(line[at])) break;
    scanner.take(line, at);
  }
  if (scanner.in_quotes() && finished) fail_at(scanner.quote_at(), "this quote is not closed");
  return at;
}

// The word without its quotes; \" and \\ inside double quotes lose their backslash.
Word make_word(std::string_view line, std::size_t start, std::size_t end) {
  Word word{.text = "", .start = start, .end = end, .quoted = false};
  char quote = 0;
  for (std::size_t at = start; at < end; ++at) {
    const char c = line[at];
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
      word.quoted = true;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == '"' && c == '\\' && at + 1 < end &&
               (line[at + 1] == '"' || line[at + 1] == '\\')) {
      word.text += line[++at];
    } else {
      word.text += c;
    }
  }
  return word;
}

std::vector<Word> split(std::string_view line, std::size_t from, bool finished) {
  std::vector<Word> words;
  for (std::size_t at = from; at < line.size();) {
    if (is_blank(line[at])) {
      ++at;
      continue;
    }
    const std::size_t end = end_of_word(line, at, finished);
    words.push_back(make_word(line, at, end));
    at = end;
  }
  return words;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// How many characters the redirection at `at` has; 0: there is none.
std::size_t operator_size(std::string_view line, std::size_t at) {
  if (at != 0 && !is_blank(line[at - 1])) return 0;
  const std::size_t size = line[at] == '|'                     ? 1
                           : line.substr(at).starts_with(">>") ? 2
                           : line[at] == '>'                   ? 1
                                                               : 0;
  if (size == 0) return 0;
  return at + size == line.size() || is_blank(line[at + size]) ? size : 0;
}

bool is_operator(const Word& word) {
  return !word.quoted && (word.text == "|" || word.text == ">" || word.text == ">>");
}

Redirection redirection_at(std::string_view line, std::size_t at, std::size_t size) {
  if (line[at] == '|') {
    const std::string_view program = trim(line.substr(at + size));
    if (program.empty()) fail_at(at, "a program must follow the |");
    return {Redirection::Kind::pipe, std::string(program), at};
  }
  std::vector<Word> words = split_words(line, at + size);
  for (std::size_t i = 0; i < words.size(); ++i)
    if (!words[i].quoted && words[i].text.starts_with('#')) words.resize(i);
  if (words.empty() || is_operator(words[0])) fail_at(at, "a file name must follow the >");
  if (words.size() > 1)
    fail_at(words[1].start, is_operator(words[1]) ? "only one redirection is possible"
                                                  : "only one file name can follow the >");
  return {size == 2 ? Redirection::Kind::append : Redirection::Kind::write, words[0].text, at};
}

}  // namespace

std::vector<Word> split_words(std::string_view line, std::size_t from) {
  return split(line, from, true);
}

std::vector<Word> split_unfinished(std::string_view line) {
  return split(line, 0, false);
}

SplitLine split_line(std::string_view line) {
  Scanner scanner;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const bool inside = scanner.in_quotes() || scanner.in_parentheses();
    if (!inside && line[at] == '#' && (at == 0 || is_blank(line[at - 1])))
      return {line.substr(0, at), {}};
    const std::size_t size = inside ? 0 : operator_size(line, at);
    if (size != 0) return {line.substr(0, at), redirection_at(line, at, size)};
    scanner.take(line, at);
  }
  return {line, {}};
}

PlacedWords place_words(const std::vector<std::string>& words) {
  PlacedWords placed;
  for (const std::string& word : words) {
    std::string& line = placed.line;
    if (!line.empty()) line += ' ';
    placed.words.push_back({word, line.size(), line.size() + word.size(), false});
    line += word;
  }
  return placed;
}

}  // namespace kvmscope
