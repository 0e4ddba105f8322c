// Kernel objects as Lua values.
#pragma once

#include <cstdint>
#include <optional>

#include <lua.hpp>

#include "core/object/object.hpp"

namespace kvmscope::lua {

// Makes the metatables of objects.
void open_objects(lua_State* state);

// An object as it is: a place in memory, or a value with its C type.
void push_object(lua_State* state, Object object);
// What a program gets of it: integers (all 64 bits), enums and booleans as Lua values, read now;
// structs, arrays and pointers as objects. Throws Error{fault}.
void push_value(lua_State* state, const Object& object);

// The object at `index`; nullptr when it is another value.
const Object* to_object(lua_State* state, int index);
// The same; a Lua error when it is none.
const Object& check_object(lua_State* state, int index);
// A number, a boolean or an object as an object: numbers are long, as in C.
Object operand(lua_State* state, int index);

// The 64 bits of a number, a boolean, or an object that has a number.
std::uint64_t check_bits(lua_State* state, int index);
// The same of an address: a pointer's, or where a struct or array lies.
std::uint64_t check_address(lua_State* state, int index);

// The object in C's notation, as `print` shows it. One line: structs, too.
std::string object_text(lua_State* state, const Object& object, bool one_line);

}  // namespace kvmscope::lua
