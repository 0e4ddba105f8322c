#include "commands/shell/give_up_root.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "commands/shell/arguments.hpp"
#include "commands/shell/caught.hpp"
#include "commands/shell/interactive.hpp"
#include "commands/shell/line_ahead.hpp"
#include "core/base/privilege.hpp"
#include "core/base/read_only_filter.hpp"

namespace kvmscope {
namespace {

// A pipe cannot.
bool can_be_read_twice(Script& script) {
  return script.lines.tellg() == std::streampos(0);
}

// Lines, and those of scripts that can be read twice.
void each_line(Program& program, const std::function<void(std::string_view)>& visit) {
  for (const std::string& line : program.lines) visit(line);
  for (Script& script : program.scripts) {
    if (!can_be_read_twice(script)) continue;
    for (std::string line; std::getline(script.lines, line);) visit(line);
    script.lines.clear();
    script.lines.seekg(0);
  }
}

// Whether every command is known by now, and needs nothing that would have to be open. A command
// that takes a file (source) may run any other.
bool needs_nothing(const Session& session, Program& program) {
  bool nothing = true;
  const auto look = [&](const LineAhead& line) {
    const Command* command = line.command;
    if (command == nullptr) return;
    nothing = nothing && command->needs == Needs::nothing &&
              !(command->needs_target && command->needs_target(line.args)) &&
              std::none_of(command->arguments.begin(), command->arguments.end(),
                           [](const Argument& a) { return a.kind == ArgumentKind::file; });
  };
  if (!program.command.empty()) {
    look(look_at_words(session, program.command));
    return nothing;
  }
  if (program.lines.empty() && program.scripts.empty()) return false;
  for (Script& script : program.scripts)
    if (!can_be_read_twice(script)) return false;
  each_line(program, [&](std::string_view line) { look(look_at_line(session, line)); });
  return nothing;
}

// In a dump, lines that are yet to come may send results wherever the user may write: nobody can
// say ahead where, and a dump does not change under the reader as a host does.
bool writes_later(const Session& session, const Program& program) {
  return !session.is_live() && program.command.empty() && program.lines.empty() &&
         program.scripts.empty();
}

void open_files(Session& session, Program& program) {
  using Kind = Redirection::Kind;
  const auto open = [&](const LineAhead& line) {
    const Redirection& redirection = line.redirection;
    if (redirection.kind == Kind::write || redirection.kind == Kind::append)
      session.output_files().open_ahead(redirection.target);
    if (line.command != nullptr && line.command->open_ahead)
      line.command->open_ahead(session, line.args);
  };
  if (!program.command.empty()) open(look_at_words(session, program.command));
  each_line(program, [&](std::string_view line) { open(look_at_line(session, line)); });
}

// What fails is reported by the command that misses it.
void open_ahead(Session& session) {
  const std::optional<Error> failure = caught([&] { session.open_all(); });
  if (failure && session.has_target() && !session.is_open()) {
    session.cannot_open(*failure);
    caught([&] { session.open_all(); });
  }
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
  const User user = geteuid() == 0
                        ? user_behind_sudo(std::getenv("SUDO_UID"), std::getenv("SUDO_GID"))
                        : present_user();
  const bool writes = writes_later(session, program);
  // Nobody may write nowhere.
  if (writes && user.uid == nobody.uid) return;
  session.clock().start();
  if (!needs_nothing(session, program)) open_ahead(session);
  session.clock().count_into_next();
  open_files(session, program);
  // Root must not write where another user chooses what the names mean.
  if (program.is_shell && history_is_ours()) open_history(session);
  give_up_privileges(user);
  if (program.is_shell && !session.history().has_file()) open_history(session);
  if (!writes) {
    session.output_files().close_list();
    session.files_ahead().close_list();
    install_read_only_filter();
  }
  session.gave_up_root_for(user);
}

}  // namespace kvmscope
