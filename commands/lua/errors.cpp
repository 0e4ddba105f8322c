#include "commands/lua/errors.hpp"

#include <new>

#include "commands/lua/api.hpp"
#include "commands/lua/interpreter.hpp"
#include "commands/lua/text.hpp"

namespace kvmscope::lua {
namespace {

constexpr char metatable = 0;  // its address is the key

struct Box {
  Error error;
  bool lost;
};

std::string_view word(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage: return "usage";
    case ErrorKind::unavailable: return "unavailable";
    case ErrorKind::fault: return "fault";
    case ErrorKind::corrupt: return "corrupt";
    case ErrorKind::torn: return "torn";
    case ErrorKind::limit: return "limit";
    case ErrorKind::internal: return "internal";
    case ErrorKind::interrupted: return "interrupted";
  }
  return "";
}

Box* to_box(lua_State* state, int index) {
  if (lua_type(state, index) != LUA_TUSERDATA || lua_getmetatable(state, index) == 0)
    return nullptr;
  lua_rawgetp(state, LUA_REGISTRYINDEX, &metatable);
  const bool ours = lua_rawequal(state, -1, -2) != 0;
  lua_pop(state, 2);
  return ours ? static_cast<Box*>(lua_touserdata(state, index)) : nullptr;
}

void push(lua_State* state, Error error, bool lost) {
  void* const place = lua_newuserdatauv(state, sizeof(Box), 0);
  new (place) Box{std::move(error), lost};
  lua_rawgetp(state, LUA_REGISTRYINDEX, &metatable);
  lua_setmetatable(state, -2);
}

// "FILE:LINE: " of the first caller that is the program's own and no part of the model.
std::string place_of(lua_State* state, int level) {
  lua_Debug frame;
  for (; lua_getstack(state, level, &frame) != 0; ++level) {
    lua_getinfo(state, "Sl", &frame);
    if (frame.currentline > 0 && std::string_view(frame.source) != model_chunk)
      return fmt::format("{}:{}: ", frame.short_src, frame.currentline);
  }
  return "";
}

int to_string(lua_State* state) {
  const Box* box = to_box(state, 1);
  if (box == nullptr) return luaL_error(state, "no error");
  push_text(state, box->lost ? fmt::format("lost({})", box->error.what()) : box->error.what());
  return 1;
}

// error.kind, error.message, error.lost
int index(lua_State* state) {
  const Box* box = to_box(state, 1);
  const std::string_view name = luaL_checkstring(state, 2);
  if (box == nullptr) return luaL_error(state, "no error");
  if (name == "kind") {
    push_text(state, word(box->error.kind()));
  } else if (name == "message") {
    push_text(state, box->error.what());
  } else if (name == "lost") {
    lua_pushboolean(state, box->lost ? 1 : 0);
  } else {
    return luaL_error(state,
                      box->lost ? "a lost value has no field '%s': %s"
                                : "an error has kind, message and lost, but no '%s' (%s)",
                      lua_tostring(state, 2), box->error.what());
  }
  return 1;
}

int collect(lua_State* state) {
  static_cast<Box*>(lua_touserdata(state, 1))->~Box();
  return 0;
}

}  // namespace

void open_errors(lua_State* state) {
  lua_newtable(state);
  const luaL_Reg functions[] = {
      {"__tostring", to_string}, {"__index", index}, {"__gc", collect}, {nullptr, nullptr}};
  luaL_setfuncs(state, functions, 0);
  lua_pushliteral(state, "error");
  lua_setfield(state, -2, "__metatable");
  lua_rawsetp(state, LUA_REGISTRYINDEX, &metatable);
}

void push_error(lua_State* state, const Error& error, int level) {
  if (error.kind() == ErrorKind::interrupted || error.kind() == ErrorKind::limit)
    interpreter(state).end();
  Error placed(error.kind(), place_of(state, level) + error.message());
  for (const std::string& line : error.context()) placed.add_context(line);
  push(state, std::move(placed), false);
}

void push_lost(lua_State* state, const Lost& lost) {
  const ErrorKind kind = lost.torn      ? ErrorKind::torn
                         : lost.corrupt ? ErrorKind::corrupt
                                        : ErrorKind::fault;
  push(state, Error(kind, lost.reason), true);
}

const Error* to_error(lua_State* state, int index) {
  const Box* box = to_box(state, index);
  return box != nullptr ? &box->error : nullptr;
}

int as_error(lua_State* state) {
  if (to_error(state, 1) != nullptr) return 1;
  push(state, Error(ErrorKind::usage, to_text(state, 1)), false);
  return 1;
}

}  // namespace kvmscope::lua
