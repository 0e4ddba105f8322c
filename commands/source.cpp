// source: run the command lines in a file.

#include "commands/catalogue.hpp"
#include "commands/shell/runner.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope {
namespace {

// It has no records of its own: each line writes its own result.
void run_file(Session& session, const Arguments& args, RowSink& rows) {
  rows.set_status(run_script(session, *args.text("FILE")));
}

}  // namespace

Command source() {
  return {
      .names = {"source"},
      .summary = "run the command lines in a file",
      .details =
          "A # starts a comment. The file ends at the first line with status 2, 3 or 70;\n"
          "what could not be read (4) or makes no sense (5) does not end it.",
      .needs = Needs::nothing,
      .arguments = {{"FILE", ArgumentKind::file, "command lines, one a line"}},
      .examples = {"source morning.kvmscope"},
      .run = run_file,
  };
}

}  // namespace kvmscope
