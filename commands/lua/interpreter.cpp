#include "commands/lua/interpreter.hpp"

#include "commands/expressions.hpp"
#include "commands/lua/api.hpp"
#include "commands/lua/errors.hpp"
#include "commands/lua/text.hpp"
#include "commands/shell/caught.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope::lua {
namespace {

constexpr int instructions_between_checks = 10'000;

void on_count(lua_State* state, lua_Debug*) {
  const std::optional<Error> error = caught([&] { interpreter(state).limits().check(); });
  if (!error) return;
  push_error(state, *error, 0);
  lua_error(state);
}

// Lua's own words for a chunk that could go on: as its interpreter recognises them.
bool is_incomplete(lua_State* state, int status) {
  if (status != LUA_ERRSYNTAX) return false;
  std::size_t size = 0;
  const char* text = lua_tolstring(state, -1, &size);
  return text != nullptr && std::string_view(text, size).ends_with("<eof>");
}

int load(lua_State* state, std::string_view source, const std::string& name) {
  return luaL_loadbufferx(state, source.data(), source.size(), name.c_str(), "t");
}

void set_arguments(lua_State* state, const std::string& name,
                   const std::vector<std::string>& arguments) {
  lua_newtable(state);
  lua_pushstring(state, name.c_str());
  lua_rawseti(state, -2, 0);
  lua_Integer number = 0;
  for (const std::string& argument : arguments) {
    push_text(state, argument);
    lua_rawseti(state, -2, ++number);
  }
  lua_setglobal(state, "arg");
}

// Calls print with what a line came to.
void print_results(lua_State* state, int first) {
  const int count = lua_gettop(state) - first + 1;
  if (count == 0) return;
  luaL_checkstack(state, LUA_MINSTACK, "too many results to print");
  lua_getglobal(state, "print");
  lua_insert(state, first);
  lua_call(state, count, 0);
}

using Body = std::function<void(lua_State*)>;

int run_body(lua_State* state) {
  const auto& body = *static_cast<const Body*>(lua_touserdata(state, 1));
  lua_settop(state, 0);
  body(state);
  return 0;
}

}  // namespace

Interpreter::Interpreter(Session& session)
    : session_(session),
      kept_(session),
      limits_(session.settings().lua_memory, session.settings().lua_time),
      state_(lua_newstate(Limits::allocate, &limits_), lua_close) {
  if (state_ == nullptr) throw Error(ErrorKind::limit, "there is no memory to start Lua with");
  *static_cast<Interpreter**>(lua_getextraspace(state_.get())) = this;
  call([](lua_State* state) { open_api(state); });
  lua_sethook(state_.get(), on_count, LUA_MASKCOUNT, instructions_between_checks);
}

int Interpreter::run(std::string_view source, const std::string& name,
                     const std::vector<std::string>& arguments) {
  return call([&](lua_State* state) {
    set_arguments(state, name, arguments);
    if (load(state, source, '@' + name) != LUA_OK) lua_error(state);
    lua_call(state, 0, 0);
  });
}

std::optional<int> Interpreter::run_line(std::string_view line) {
  bool complete = true;
  const int status = call([&](lua_State* state) {
    if (load(state, fmt::format("return {}", line), "=lua") != LUA_OK) {
      lua_settop(state, 0);
      const int failed = load(state, line, "=lua");
      complete = !is_incomplete(state, failed);
      if (!complete) return;
      if (failed != LUA_OK) lua_error(state);
    }
    lua_call(state, 0, LUA_MULTRET);
    print_results(state, 1);
  });
  return complete ? std::optional(status) : std::nullopt;
}

int Interpreter::call(const Body& body) {
  ending_ = false;
  exit_status_.reset();
  has_budget_ = false;
  lua_State* const state = state_.get();
  lua_settop(state, 0);
  lua_pushcfunction(state, as_error);
  lua_pushcfunction(state, guarded<run_body>);
  lua_pushlightuserdata(state, const_cast<Body*>(&body));
  int status = LUA_OK;
  {
    const Limits::Run run(limits_);
    status = lua_pcall(state, 1, 0, 1);
  }
  if (status == LUA_OK || exit_status_) return exit_status_.value_or(0);
  throw error_on_top(status);
}

Error Interpreter::error_on_top(int status) const {
  if (status == LUA_ERRMEM)
    return {ErrorKind::limit,
            fmt::format("the program needs more than the {} MiB of memory that it may have: "
                        "`--lua-memory SIZE` (or `set lua-memory SIZE`) allows more, 0 any size",
                        limits_.memory() >> 20)};
  if (const Error* error = to_error(state_.get(), -1)) return *error;
  const char* text =
      lua_type(state_.get(), -1) == LUA_TSTRING ? lua_tostring(state_.get(), -1) : "unknown";
  return {ErrorKind::usage, fmt::format("an error in the handling of an error: {}", text)};
}

const Type& Interpreter::named_type(const std::string& name) {
  const auto known = types_.find(name);
  if (known != types_.end()) return *known->second;
  return *types_.emplace(name, &kvmscope::named_type(session_.types(), name)).first->second;
}

const VirtReader& Interpreter::memory() {
  return session_.uses_target() ? session_.kernel().memory() : session_.memory();
}

void Interpreter::renew_budget() {
  if (!session_.is_open()) return;
  has_budget_ = true;
  if (const SteadyMemory* steady = session_.kernel().steady())
    steady->start({.bytes = session_.settings().max_bytes});
}

}  // namespace kvmscope::lua
