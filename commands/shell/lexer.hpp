// A command line as characters: words, quotes, comments, redirections.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kvmscope {

// A word of a line; blanks inside quotes, parentheses and brackets do not end it.
struct Word {
  std::string text;       // without its quotes
  std::size_t start = 0;  // in the line, bytes
  std::size_t end = 0;    // exclusive
  bool quoted = false;    // some of it was: no option
};

// The words behind the first `from` bytes. Throws Error{usage} with a column on a quote that is not
// closed.
std::vector<Word> split_words(std::string_view line, std::size_t from = 0);

// Words with the line that they would have been.
struct PlacedWords {
  std::string line;
  std::vector<Word> words;
};
// Of words that a shell has split already.
PlacedWords place_words(const std::vector<std::string>& words);
// The same for a line that is still being typed: an open quote ends with the line.
std::vector<Word> split_unfinished(std::string_view line);

struct Redirection {
  enum class Kind { none, pipe, write, append };
  Kind kind = Kind::none;
  std::string target;  // a program with its arguments, for the shell; or a file
  std::size_t at = 0;  // of the | or > in the line
};

struct SplitLine {
  std::string_view command;  // without redirection and comment
  Redirection redirection;
};

// Cuts off a comment (# at the start or behind a blank) and what follows a | > or >> that has
// blanks around it and stands outside quotes and parentheses. Throws Error{usage} with a column.
SplitLine split_line(std::string_view line);

}  // namespace kvmscope
