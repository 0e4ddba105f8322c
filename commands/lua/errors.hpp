// Errors on their way through Lua: ours as Lua values with their kind and context, and back.
#pragma once

#include <new>
#include <string>

#include <lua.hpp>

#include "commands/output/record.hpp"
#include "core/base/error.hpp"

namespace kvmscope::lua {

// Makes the metatable of errors.
void open_errors(lua_State* state);

// An error, with the place in the program that met it: "walk.lua:3: ". `level`: 1 is where the
// function was called that now runs.
void push_error(lua_State* state, const Error& error, int level = 1);
// A value of a record that could not be read.
void push_lost(lua_State* state, const Lost& lost);
// The error at `index` with its place; nullptr when it is another value.
const Error* to_error(lua_State* state, int index);

// A message handler that makes an error of ours of whatever a program raised.
int as_error(lua_State* state);

// A C function for Lua that may throw Error. Errors of Lua's own pass as they are.
template <int (*body)(lua_State*)>
int guarded(lua_State* state) {
  try {
    return body(state);
  } catch (const Error& error) {
    push_error(state, error);
  } catch (const std::bad_alloc&) {
    push_error(state, Error(ErrorKind::limit, "out of memory"));
  } catch (const std::exception& error) {
    push_error(state, Error(ErrorKind::internal, error.what()));
  }
  return lua_error(state);
}

}  // namespace kvmscope::lua
