// Lua's own libraries without what could touch files, run processes or dodge the limits.

#include <algorithm>

#include "commands/lua/api.hpp"
#include "commands/lua/errors.hpp"
#include "commands/lua/interpreter.hpp"
#include "commands/lua/objects.hpp"

namespace kvmscope::lua {
namespace {

constexpr luaL_Reg harmless[] = {{LUA_GNAME, luaopen_base},
                                 {LUA_TABLIBNAME, luaopen_table},
                                 {LUA_STRLIBNAME, luaopen_string},
                                 {LUA_MATHLIBNAME, luaopen_math},
                                 {LUA_UTF8LIBNAME, luaopen_utf8}};
constexpr luaL_Reg others[] = {
    {LUA_IOLIBNAME, luaopen_io}, {LUA_OSLIBNAME, luaopen_os}, {LUA_LOADLIBNAME, luaopen_package}};

// They read files; byte code could crash the interpreter; `warn` writes past our output.
constexpr const char* removed[] = {"dofile", "loadfile", "warn"};

// What failed is the first result; `state` has it on top.
int failed(lua_State* state, int status) {
  if (interpreter(state).is_ending() || status == LUA_ERRMEM) return lua_error(state);
  lua_pushboolean(state, 0);
  lua_insert(state, -2);
  return 2;
}

// As Lua's own, but what ends the program passes, and errors are as their handlers know them.
int protected_call(lua_State* state) {
  luaL_checkany(state, 1);
  const int status = lua_pcall(state, lua_gettop(state) - 1, LUA_MULTRET, 0);
  if (status != LUA_OK) return failed(state, status);
  lua_pushboolean(state, 1);
  lua_insert(state, 1);
  return lua_gettop(state);
}

int protected_call_with_handler(lua_State* state) {
  const int arguments = lua_gettop(state) - 2;
  luaL_checktype(state, 2, LUA_TFUNCTION);
  lua_pushvalue(state, 1);
  lua_copy(state, 2, 1);
  lua_replace(state, 2);  // handler, function, arguments
  const int status = lua_pcall(state, arguments, LUA_MULTRET, 1);
  if (status != LUA_OK) return failed(state, status);
  lua_pushboolean(state, 1);
  lua_replace(state, 1);
  return lua_gettop(state);
}

// Text only, whatever `mode` says.
int load_text(lua_State* state) {
  const int arguments = std::min(lua_gettop(state), 4);
  lua_settop(state, std::max(arguments, 3));
  lua_pushliteral(state, "t");
  lua_replace(state, 3);
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, std::max(arguments, 3), LUA_MULTRET);
  return lua_gettop(state);
}

// A finalizer runs where no limit is looked at.
int set_metatable(lua_State* state) {
  if (lua_istable(state, 2)) {
    lua_pushliteral(state, "__gc");
    if (lua_rawget(state, 2) != LUA_TNIL)
      return luaL_error(state, "a program of kvmscope cannot have finalizers (__gc)");
    lua_pop(state, 1);
  }
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, lua_gettop(state) - 1, 1);
  return 1;
}

// Puts `function` into the place of a global function, which it has as its upvalue.
void wrap(lua_State* state, const char* name, lua_CFunction function) {
  lua_getglobal(state, name);
  lua_pushcclosure(state, function, 1);
  lua_setglobal(state, name);
}

}  // namespace

void open_sandbox(lua_State* state) {
  for (const luaL_Reg& library : harmless) {
    luaL_requiref(state, library.name, library.func, 1);
    lua_pop(state, 1);
  }
  lua_register(state, "pcall", protected_call);
  lua_register(state, "xpcall", protected_call_with_handler);
  wrap(state, "setmetatable", set_metatable);
  if (interpreter(state).session().settings().unsafe_lua) {
    for (const luaL_Reg& library : others) {
      luaL_requiref(state, library.name, library.func, 1);
      lua_pop(state, 1);
    }
    return;
  }
  wrap(state, "load", load_text);
  for (const char* name : removed) {
    lua_pushnil(state);
    lua_setglobal(state, name);
  }
  lua_getglobal(state, LUA_STRLIBNAME);
  lua_pushnil(state);
  lua_setfield(state, -2, "dump");
  lua_pop(state, 1);
}

}  // namespace kvmscope::lua
