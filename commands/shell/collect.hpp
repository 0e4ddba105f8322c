// Runs a command for its records, which another command shows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/shell/arguments.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope {

struct Collected {
  std::vector<Record> records;
  std::vector<std::string> notes;
  std::optional<Error> failure;  // what ended it; the records before that are there
};

// The command line, parsed. Throws Error{usage}; its columns count from the start of `line`.
ParsedLine parse_inner_line(Session& session, std::string_view line, const OutputOptions& defaults);

// The records of a parsed line: those of the command or of the mode that its options choose, with
// their truth on a kernel that runs.
Mode mode_of(Session& session, const ParsedLine& parsed);
// The fields among them that tell one record from another; none: its place does.
std::vector<std::string_view> keys_of(const ParsedLine& parsed);

// Runs a parsed line whose records go to `rows`. Returns what ended it.
std::optional<Error> run_inner(Session& session, const ParsedLine& parsed, RowSink& rows);

// Throws Error{interrupted} only.
Collected collect(Session& session, const ParsedLine& parsed);

}  // namespace kvmscope
