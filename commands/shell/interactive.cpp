#include "commands/shell/interactive.hpp"

#include "commands/shell/complete.hpp"
#include "commands/shell/readline_editor.hpp"
#include "commands/shell/runner.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {

void open_history(Session& session) {
  const std::string path = history_path();
  if (path.empty()) return;
  const std::string failure = session.history().use_file(path, session.open_log());
  if (!failure.empty()) session.console().messages.note("no history: " + failure);
}

void run_shell(Session& session) {
  session.console().interactive = true;
  if (!session.gave_up_root()) open_history(session);
  LineEditor editor([&session](std::string_view line, std::size_t cursor) {
    return complete(session, line, cursor);
  });
  for (const std::string& line : session.history().lines()) editor.remember(line);
  session.console().read_line = [&editor](const std::string& prompt) {
    std::optional<std::string> line = editor.read(prompt);
    if (line && !line->empty()) editor.remember(*line);
    return line;
  };
  session.console().messages.line("`help` lists the commands, Ctrl-D leaves.");
  while (!session.quitting()) {
    clear_interrupted();
    const std::optional<std::string> line = editor.read("kvmscope> ");
    if (!line) {
      session.console().messages.line("");
      return;
    }
    if (session.history().add(*line)) editor.remember(*line);
    run_line(session, *line);
  }
}

}  // namespace kvmscope
