// Where snapshots and metrics go: standard output, a file that is replaced, or memory.
#pragma once

#include <functional>
#include <string>

#include "commands/command.hpp"
#include "commands/snapshot/document.hpp"
#include "commands/snapshot/source.hpp"

namespace kvmscope::snapshots {

// Lets `write` write the file that -o names, compressed when that ends with .zst, or standard
// output. When it throws, the old file stays. `mode` as for chmod.
void write_result(Session& session, const Arguments& args, mode_t mode,
                  const std::function<void(ByteWriter&)>& write);
// Opens that file, while the right to is there: Command::open_ahead.
std::function<void(Session&, const Arguments&)> open_result_ahead(mode_t mode);
// -o, as each command that writes a result declares it.
Option result_option();

// A snapshot of the target that is kept in memory until it is read.
struct Taken {
  Source source;
  Outcome outcome;
};
Taken take_in_memory(Session& session, const Wanted& wanted);

// Sets the status that the outcome deserves. What is wrong is in the snapshot; a script that nobody
// looks at gets one line.
void report(Session& session, const Outcome& outcome, RowSink& rows);

}  // namespace kvmscope::snapshots
