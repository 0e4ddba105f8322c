// lua and run: Lua code from the command line, from a prompt, and from a file.

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "commands/catalogue.hpp"
#include "commands/lua/api.hpp"
#include "commands/lua/interpreter.hpp"
#include "commands/shell/caught.hpp"
#include "commands/shell/session.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

constexpr std::size_t longest_program = 16 << 20;  // bytes

std::string read_program(Session& session, const std::string& path) {
  const FileDescriptor file = session.files_ahead().read(path);
  std::string text;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count == 0) break;
    if (count < 0) throw_error(ErrorKind::usage, "cannot read {}: {}", path, std::strerror(errno));
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > longest_program)
      throw_error(ErrorKind::usage, "{} is no Lua program: it has more than 16 MiB", path);
  }
  // "#!/usr/bin/env kvmscope" and the like; the line stays, so that others keep their numbers.
  if (text.starts_with('#')) text.insert(0, "--");
  return text;
}

// The line, or the lines up to where the code is complete; none: Ctrl-D.
std::optional<int> run_typed(Session& session, lua::Interpreter& interpreter) {
  std::optional<std::string> code = session.console().read_line("lua> ");
  while (code) {
    clear_interrupted();
    if (code->empty()) return 0;
    if (const std::optional<int> status = interpreter.run_line(*code)) return status;
    const std::optional<std::string> more = session.console().read_line("lua>> ");
    if (!more) return 0;
    *code += '\n' + *more;
  }
  return std::nullopt;
}

void run_prompt(Session& session) {
  if (!session.console().read_line)
    throw Error(ErrorKind::usage,
                "CODE is missing: the prompt of lua is for a terminal; `run FILE` runs a program");
  lua::Interpreter interpreter(session);
  session.console().messages.line("Lua 5.4; `help lua` lists the functions, Ctrl-D leaves.");
  for (bool more = true; more;) {
    const std::optional<Error> failure =
        caught([&] { more = run_typed(session, interpreter).has_value(); });
    session.console().out->flush();
    if (failure) session.console().messages.error("", failure->what());
    if (failure && session.console().out->reader_gone()) throw Error(*failure);
  }
  clear_interrupted();
}

void run_code(Session& session, const Arguments& args, RowSink& rows) {
  const std::optional<std::string> code = args.text("CODE");
  if (!code) return run_prompt(session);
  lua::Interpreter interpreter(session);
  const std::optional<int> status = interpreter.run_line(*code);
  if (!status) throw_error(ErrorKind::usage, "the code ends too early: {}", *code);
  rows.set_status(*status);
}

void run_file(Session& session, const Arguments& args, RowSink& rows) {
  const std::string path = *args.text("FILE");
  const std::string program = read_program(session, path);
  lua::Interpreter interpreter(session);
  rows.set_status(interpreter.run(program, path, args.all("ARG")));
}

}  // namespace

Command lua_code() {
  return {
      .names = {"lua"},
      .summary = "run Lua code, or open a prompt for it",
      .details = lua::api_text(),
      .needs = Needs::debug_info,
      .arguments = {{"CODE", ArgumentKind::expression,
                     "an expression, whose value is printed, or statements; a prompt when left out",
                     true}},
      .streams = true,
      .examples = {"lua print(#vms())",
                   "lua for _, vm in ipairs(vms()) do print(vm.id, #vm:pages()) end",
                   "lua vms()[1]:vcpus()[1].arch.mmu.root.hpa", "lua"},
      .run = run_code,
  };
}

Command run_program() {
  return {
      .names = {"run"},
      .summary = "run a Lua program",
      .details = "`kvmscope -x FILE.lua ARG...` does the same. What a program may use: `help lua`.",
      .needs = Needs::debug_info,
      .open_ahead =
          [](Session& session, const Arguments& args) {
            session.files_ahead().read_later(*args.text("FILE"));
          },
      .arguments = {{"FILE", ArgumentKind::data_file, "Lua 5.4"},
                    {"ARG", ArgumentKind::text, "for the program, in the table arg", true, true}},
      .streams = true,
      .examples = {"run unsync_batches.lua 0.0.prev0", "run root_changes.lua 10 -- --hz 100"},
      .run = run_file,
  };
}

}  // namespace kvmscope
