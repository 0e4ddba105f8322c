// A session with a few made-up commands and nothing else, its words kept in strings.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "commands/shell/runner.hpp"
#include "tests/support/fake_kernel_target.hpp"

namespace kvmscope {

// Commands that show what they were given.
inline std::vector<Command> test_commands() {
  using K = ArgumentKind;
  const std::vector<Column> columns = {{"name", ColumnKind::text, "of the value"},
                                       {"value", ColumnKind::text, "as it was given"}};
  const auto show = [](Session&, const Arguments& args, RowSink& rows) {
    for (const auto& [name, values] : args.values)
      for (const std::string& value : values) rows.add({{name, value}});
  };
  const auto fail_with = [](ErrorKind kind) {
    return [kind](Session&, const Arguments&, RowSink& rows) {
      rows.add({{std::string("before"), std::string("the error")}});
      throw Error(kind, "it failed");
    };
  };
  const View view = {.table = {column("NAME", "name"), column("VALUE", "value")}};
  const auto make = [&](std::vector<std::string_view> names) {
    Command command;
    command.names = std::move(names);
    command.needs = Needs::nothing;
    command.columns = columns;
    command.view = view;
    command.run = show;
    return command;
  };
  std::vector<Command> commands;
  Command pages = make({"pages"});
  pages.arguments = {{"VM", K::vm, "", true}};
  pages.options = {{"--level", "N", K::number, "of its entries"}, {"--unsync", "", K::text, ""}};
  commands.push_back(pages);
  Command path = make({"path"});
  path.arguments = {{"ROOT", K::root, ""}, {"ADDRESS", K::address, ""}};
  path.run = [](Session&, const Arguments&, RowSink& rows) { rows.note("walked"); };
  commands.push_back(path);
  Command print = make({"print", "p"});
  print.arguments = {{"EXPRESSION", K::expression, ""}};
  print.options = {{"--hex", "", K::text, ""}, {"-d", "DEPTH", K::number, ""}};
  commands.push_back(print);
  Command list = make({"list"});
  list.arguments = {{"HEAD", K::expression, ""}, {"TYPE", K::type, ""}};
  commands.push_back(list);
  Command read = make({"read", "rd"});
  read.arguments = {{"NUMBER", K::number, "", false, true}};
  commands.push_back(read);
  Command expression_error = make({"wrong"});
  expression_error.arguments = {{"EXPRESSION", K::expression, ""}};
  expression_error.run = [](Session&, const Arguments&, RowSink&) {
    Error error(ErrorKind::usage, "no symbol");
    error.set_column(4);
    throw error;
  };
  commands.push_back(expression_error);
  for (const auto& [name, kind] :
       {std::pair{"fault", ErrorKind::fault}, std::pair{"corrupt", ErrorKind::corrupt},
        std::pair{"unavailable", ErrorKind::unavailable}, std::pair{"broken", ErrorKind::internal},
        std::pair{"interrupted", ErrorKind::interrupted}}) {
    Command failing = make({name});
    failing.run = fail_with(kind);
    commands.push_back(failing);
  }
  Command needy = make({"needy"});
  needy.needs = Needs::target;
  needy.options = {{"--rule", "NAMES", K::rules, ""}};
  commands.push_back(needy);
  Command trace = make({"trace"});
  trace.run = {};
  Command load = make({"load"});
  load.group = "trace";
  load.arguments = {{"VM", K::vm, "", true}};
  load.options = {{"--for", "S", K::number, ""}};
  Command events = make({"events", "ev"});
  events.group = "trace";
  events.arguments = {{"EXPRESSION", K::expression, "", true}};
  load.needs_root = events.needs_root = true;
  trace.subcommands = {load, events};
  trace.needs_root = true;
  commands.push_back(trace);
  Command quit = make({"quit", "q"});
  quit.columns = {};
  quit.run = [](Session& session, const Arguments&, RowSink&) { session.quit(); };
  commands.push_back(quit);
  Command run = make({"source"});
  run.columns = {};
  run.arguments = {{"FILE", K::file, ""}};
  run.run = [](Session& session, const Arguments& args, RowSink& rows) {
    rows.set_status(run_script(session, *args.text("FILE")));
  };
  commands.push_back(run);
  Command set = make({"set"});
  set.arguments = {{"NAME", K::setting, "", true}, {"VALUE", K::text, "", true}};
  commands.push_back(set);
  return commands;
}

struct Shell {
  std::vector<Command> commands = test_commands();
  FakeFinder finder;
  Output out;
  Output errors;
  Messages messages{errors, false, false};
  Console console{.out = &out, .messages = messages};
  OpenLog log;
  Session session;

  explicit Shell(Target target = {})
      : session(std::move(target), finder, commands, console, "", &log) {}

  int run(std::string_view line) {
    out.clear_text();
    errors.clear_text();
    return run_line(session, line);
  }
};

}  // namespace kvmscope
