// quit: leave the shell, or end a script.

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope {

Command quit() {
  return {
      .names = {"quit", "q", "exit"},
      .summary = "leave the shell, or end a script",
      .needs = Needs::nothing,
      .examples = {"quit"},
      .run = [](Session& session, const Arguments&, RowSink&) { session.quit(); },
  };
}

}  // namespace kvmscope
