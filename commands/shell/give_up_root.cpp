#include "commands/shell/give_up_root.hpp"

#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "commands/shell/arguments.hpp"
#include "commands/shell/interactive.hpp"
#include "core/base/privilege.hpp"
#include "core/base/read_only_filter.hpp"

namespace kvmscope {
namespace {

// The lines of scripts as far as they can be read twice: a pipe's cannot.
void each_line(Program& program, const std::function<void(std::string_view)>& visit) {
  for (const std::string& line : program.lines) visit(line);
  for (Script& script : program.scripts) {
    if (script.lines.tellg() != std::streampos(0)) continue;
    for (std::string line; std::getline(script.lines, line);) visit(line);
    script.lines.clear();
    script.lines.seekg(0);
  }
}

// What the commands need of which we know already. Anything may come from standard input.
Needs needs_of(const Session& session, const Program& program) {
  if (program.command.empty()) return Needs::target;
  const Command* command = match_command(session.catalogue(), program.command.front());
  return command != nullptr ? command->needs : Needs::nothing;
}

void open_output_files(Session& session, Program& program) {
  using Kind = Redirection::Kind;
  each_line(program, [&](std::string_view line) {
    const Redirection redirection = look_at_line(session, line).redirection;
    if (redirection.kind == Kind::write || redirection.kind == Kind::append)
      session.output_files().open_ahead(redirection.target);
  });
  session.output_files().close_list();
}

}  // namespace

bool needs_root(const Session& session, Program& program) {
  bool found = false;
  const auto look = [&](const Command* command) {
    found = found || (command != nullptr && command->needs_root);
  };
  if (!program.command.empty()) look(match_command(session.catalogue(), program.command.front()));
  each_line(program, [&](std::string_view line) { look(look_at_line(session, line).command); });
  return found;
}

void give_up_root(Session& session, Program& program) {
  session.clock().start(session.settings().timing);
  open_ahead(session, needs_of(session, program));
  session.clock().count_into_next();
  open_output_files(session, program);
  // Root must not write where another user chooses what the names mean.
  if (program.is_shell && history_is_ours()) open_history(session);
  const User user = geteuid() == 0
                        ? user_behind_sudo(std::getenv("SUDO_UID"), std::getenv("SUDO_GID"))
                        : present_user();
  give_up_privileges(user);
  if (program.is_shell && !session.history().has_file()) open_history(session);
  install_read_only_filter();
  session.gave_up_root_for(user);
}

}  // namespace kvmscope
