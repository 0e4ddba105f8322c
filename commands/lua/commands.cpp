// kvmscope's commands as functions: their records as tables.

#include <algorithm>
#include <span>

#include "commands/lua/api.hpp"
#include "commands/lua/errors.hpp"
#include "commands/lua/interpreter.hpp"
#include "commands/lua/text.hpp"
#include "commands/output/escape.hpp"
#include "commands/output/renderer.hpp"
#include "commands/shell/collect.hpp"

namespace kvmscope::lua {
namespace {

void push_record(lua_State* state, std::span<const Column> columns, const Record& record);

// One overload for each kind of value.
struct PushValue {
  lua_State* state;
  const Column& column;

  void operator()(std::monostate) const { lua_pushnil(state); }
  void operator()(bool flag) const { lua_pushboolean(state, flag ? 1 : 0); }
  void operator()(std::int64_t number) const { lua_pushinteger(state, number); }
  void operator()(std::uint64_t number) const {
    lua_pushinteger(state, static_cast<lua_Integer>(number));
  }
  void operator()(const Hex& hex) const { (*this)(hex.value); }
  void operator()(const std::string& text) const { push_text(state, text); }
  void operator()(const Words& words) const { push_words(state, words); }
  void operator()(const Lost& lost) const { push_lost(state, lost); }
  void operator()(const Records& records) const {
    lua_createtable(state, static_cast<int>(records.size()), 0);
    lua_Integer number = 0;
    for (const Record& record : records) {
      push_record(state, column.nested, record);
      lua_rawseti(state, -2, ++number);
    }
  }

  static void push_words(lua_State* state, const Words& words) {
    lua_createtable(state, static_cast<int>(words.size()), 0);
    lua_Integer number = 0;
    for (const std::string& word : words) {
      push_text(state, word);
      lua_rawseti(state, -2, ++number);
    }
  }
};

void push_record(lua_State* state, std::span<const Column> columns, const Record& record) {
  luaL_checkstack(state, LUA_MINSTACK, "records inside records");
  lua_createtable(state, 0, static_cast<int>(columns.size()));
  for (std::size_t i = 0; i < columns.size() && i < record.values.size(); ++i) {
    if (columns[i].form_only) continue;
    push_text(state, columns[i].name);
    std::visit(PushValue{state, columns[i]}, record.values[i]);
    lua_rawset(state, -3);
  }
  if (record.notes.empty()) return;
  PushValue::push_words(state, record.notes);
  lua_setfield(state, -2, "notes");
}

// Each record becomes a table when it comes, and counts as the program's memory.
class Tables : public Renderer {
 public:
  // The table of results is on the stack's top.
  Tables(const RenderJob& job, Output& out, Messages& messages, lua_State* state)
      : Renderer(job, out, messages), state_(state), table_(lua_gettop(state)) {}

  void record(Record record, std::optional<bool>) override {
    push_record(state_, job().columns, record);
    lua_rawseti(state_, table_, ++number_);
  }
  void note(const std::string& text) override { notes_.push_back(text); }

  const std::vector<std::string>& notes() const { return notes_; }

 private:
  lua_State* state_;
  int table_;
  lua_Integer number_ = 0;
  std::vector<std::string> notes_;
};

bool is_of_files(ArgumentKind kind) {
  return kind == ArgumentKind::file || kind == ArgumentKind::data_file;
}

// What a command does besides giving records is not for a program.
void check_allowed(Session& session, const ParsedLine& parsed) {
  const Command& command = *parsed.command;
  const std::string name = command.full_name();
  if (command.needs_root)
    throw_error(ErrorKind::usage,
                "{} changes the kernel, which a program must not: run it by itself", name);
  const bool names_files =
      std::any_of(command.arguments.begin(), command.arguments.end(),
                  [&](const Argument& one) {
                    return is_of_files(one.kind) && !parsed.args.all(one.name).empty();
                  }) ||
      std::any_of(command.options.begin(), command.options.end(), [&](const Option& one) {
        return is_of_files(one.kind) && parsed.args.has(one.name);
      });
  for (const Argument& one : command.arguments)
    if (one.kind == ArgumentKind::command_line)
      for (const std::string& line : parsed.args.all(one.name))
        check_allowed(session, parse_inner_line(session, line, {}));
  if (names_files && !session.settings().unsafe_lua)
    throw_error(ErrorKind::usage, "{}: a program has no access to files without --unsafe-lua",
                name);
  if (command.columns.empty() && !command.shape)
    throw_error(ErrorKind::usage, "{} has no records for a program", name);
}

// "records" and what was said beside them: .columns, .notes, .status.
void add_fields(lua_State* state, const Mode& mode, const Tables& tables, int status) {
  Words names;
  for (const Column& column : mode.columns)
    if (!column.form_only) names.emplace_back(column.name);
  PushValue::push_words(state, names);
  lua_setfield(state, -2, "columns");
  PushValue::push_words(state, tables.notes());
  lua_setfield(state, -2, "notes");
  lua_pushinteger(state, status);
  lua_setfield(state, -2, "status");
}

int command(lua_State* state) {
  const std::string line = check_text(state, 1);
  Interpreter& self = interpreter(state);
  Session& session = self.session();
  const Limits::Pause pause(self.limits());
  lua_settop(state, 1);
  lua_newtable(state);
  const auto describe = [&] { return fmt::format("running '{}'", line); };
  with_context(describe, [&] {
    const ParsedLine parsed = parse_inner_line(session, line, {});
    check_allowed(session, parsed);
    const Mode mode = mode_of(session, parsed);
    Output nowhere;
    RenderJob job;
    job.columns = mode.columns;
    Tables tables(job, nowhere, session.console().messages, state);
    RowSink rows(tables);
    const std::optional<Error> failure = run_inner(session, parsed, rows);
    if (failure) throw Error(*failure);
    add_fields(state, mode, tables, rows.status());
  });
  self.renew_budget();
  return 1;
}

int is_lost(lua_State* state) {
  bool lost = false;
  if (to_error(state, 1) != nullptr) {
    lua_getfield(state, 1, "lost");
    lost = lua_toboolean(state, -1) != 0;
  }
  lua_pushboolean(state, lost ? 1 : 0);
  return 1;
}

}  // namespace

void open_commands(lua_State* state) {
  lua_register(state, "command", guarded<command>);
  lua_register(state, "is_lost", is_lost);
}

}  // namespace kvmscope::lua
