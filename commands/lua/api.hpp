// What a program finds in its globals: each file of functions adds its own.
#pragma once

#include <string>

#include <lua.hpp>

namespace kvmscope::lua {

// Everything below, in order.
void open_api(lua_State* state);

// Lua's own libraries, as far as they are harmless; all with --unsafe-lua.
void open_sandbox(lua_State* state);
void open_object_functions(lua_State* state);
void open_containers(lua_State* state);
void open_commands(lua_State* state);
void open_output(lua_State* state);
void open_sampling(lua_State* state);
// vms() and what they have: written in Lua over the functions above.
void open_model(lua_State* state);
// What Lua calls the code of the model; errors are those of its callers.
inline constexpr char model_chunk[] = "=model";

// object:NAME(…), ended by a null.
const luaL_Reg* object_methods();

// The whole interface as text, for `help lua`.
const std::string& api_text();

}  // namespace kvmscope::lua
