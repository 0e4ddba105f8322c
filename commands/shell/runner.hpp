// Runs command lines: from the prompt, from -e, from scripts.
#pragma once

#include <fstream>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "commands/shell/lexer.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope {

// Runs one line and reports its errors; returns its exit status. Throws nothing. `where` stands
// before error messages: "script.txt:3"; empty: the user just typed the line.
int run_line(Session& session, std::string_view line, std::string_view where = "");

// The same for words that a shell has split already; there is no redirection in them.
int run_words(Session& session, const std::vector<std::string>& words);

// Runs lines until one ends with status 2, 3, 70 or 130, or with `quit`. Returns the worst status.
int run_lines(Session& session, std::istream& lines, std::string_view name);
int run_lines(Session& session, const std::vector<std::string>& lines, std::string_view name);
// Throws Error{usage} when the file cannot be read.
int run_script(Session& session, const std::string& path);

// A script that is open, so that it can be read when its path no longer can.
struct Script {
  std::string path;
  std::ifstream lines;
};
// Throws Error{usage} when the file cannot be read.
Script open_script(Session& session, const std::string& path);
int run_script(Session& session, Script& script);

// Whether a script goes on after a line with this status.
bool goes_on(int status);

}  // namespace kvmscope
