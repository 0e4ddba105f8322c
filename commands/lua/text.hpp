// Text between Lua and us: with its length, since it may hold any byte.
#pragma once

#include <string>
#include <string_view>

#include <lua.hpp>

namespace kvmscope::lua {

inline void push_text(lua_State* state, std::string_view text) {
  lua_pushlstring(state, text.data(), text.size());
}

// An argument that has to be a string; a Lua error when it is none.
inline std::string check_text(lua_State* state, int index) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(state, index, &size);
  return {text, size};
}

// What tostring() makes of a value.
inline std::string to_text(lua_State* state, int index) {
  std::size_t size = 0;
  const char* text = luaL_tolstring(state, index, &size);
  std::string copy(text, size);
  lua_pop(state, 1);
  return copy;
}

}  // namespace kvmscope::lua
