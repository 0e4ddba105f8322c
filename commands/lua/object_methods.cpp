// The functions of objects: object:cast(…), and cast(object, …).

#include <algorithm>

#include "commands/expressions.hpp"
#include "commands/lua/api.hpp"
#include "commands/lua/errors.hpp"
#include "commands/lua/interpreter.hpp"
#include "commands/lua/objects.hpp"
#include "commands/lua/text.hpp"
#include "core/object/member_path.hpp"

namespace kvmscope::lua {
namespace {

const Type& check_type(lua_State* state, int index) {
  const std::string name = check_text(state, index);
  return with_context([&] { return fmt::format("looking for the type '{}'", name); },
                      [&]() -> const Type& { return interpreter(state).named_type(name); });
}

void push_integer(lua_State* state, std::uint64_t bits) {
  lua_pushinteger(state, static_cast<lua_Integer>(bits));
}

int value(lua_State* state) {
  push_integer(state, check_address(state, 1));
  return 1;
}

int address(lua_State* state) {
  const std::optional<VirtAddr> at = check_object(state, 1).address();
  if (at)
    push_integer(state, at->value);
  else
    lua_pushnil(state);
  return 1;
}

int address_of(lua_State* state) {
  push_object(state, check_object(state, 1).address_of());
  return 1;
}

int dereference(lua_State* state) {
  push_value(state, check_object(state, 1).dereference());
  return 1;
}

int cast(lua_State* state) {
  const Type& type = check_type(state, 2);
  interpreter(state).need_budget();
  push_object(state, operand(state, 1).decayed().cast(type));
  return 1;
}

int container_of(lua_State* state) {
  const Type& type = check_type(state, 2);
  const std::string path = check_text(state, 3);
  const Object& member = check_object(state, 1);
  const Object pointer = member.is_pointer() || member.is_array() ? member : member.address_of();
  push_object(state, pointer.container_of(type, path));
  return 1;
}

// As it lies in memory, with its type: not yet read.
int member(lua_State* state) {
  const Object& object = check_object(state, 1);
  const std::string path = check_text(state, 2);
  push_object(state,
              object.is_pointer() ? object.dereference().at_path(path) : object.at_path(path));
  return 1;
}

int type(lua_State* state) {
  if (const Object* object = to_object(state, 1))
    push_text(state, type_name(object->type()));
  else
    push_text(state, luaL_typename(state, 1));
  return 1;
}

int members(lua_State* state) {
  const Object& object = check_object(state, 1);
  const Type& aggregate = object.is_pointer() ? target_of(object.type()) : object.type();
  lua_newtable(state);
  lua_Integer number = 0;
  for (const std::string& name : member_names(object.types().complete(strip(aggregate)))) {
    push_text(state, name);
    lua_rawseti(state, -2, ++number);
  }
  return 1;
}

int snapshot(lua_State* state) {
  const Object& object = check_object(state, 1);
  push_object(state, (object.is_pointer() ? object.dereference() : object).snapshot());
  return 1;
}

int is_null(lua_State* state) {
  lua_pushboolean(state, check_bits(state, 1) == 0 ? 1 : 0);
  return 1;
}

// The text of a char array, or of what a char pointer points to, up to its end.
int string(lua_State* state) {
  constexpr std::size_t longest = 4096;
  const Object& object = check_object(state, 1);
  if (!object.is_array() && !object.is_pointer())
    throw_error(ErrorKind::usage, "{} is no string", type_name(object.type()));
  const std::optional<std::uint64_t> count = strip(object.type()).count;
  const std::size_t most =
      object.is_array() && count ? std::min<std::uint64_t>(*count, longest) : longest;
  std::string text;
  while (text.size() < most) {
    const auto byte =
        static_cast<char>(object.index(static_cast<std::int64_t>(text.size())).as_unsigned());
    if (byte == '\0') break;
    text += byte;
  }
  push_text(state, text);
  return 1;
}

int size(lua_State* state) {
  const Object* object = to_object(state, 1);
  const Type& type = object != nullptr ? object->type() : check_type(state, 1);
  push_integer(state, size_of(interpreter(state).session().types(), type));
  return 1;
}

// What a program's table says that $name is; else what the session does.
class ProgramScope : public SessionScope {
 public:
  ProgramScope(lua_State* state, Session& session, int table)
      : SessionScope(session), state_(state), table_(table) {}

  std::optional<Object> variable(std::string_view name) const override {
    if (table_ == 0) return SessionScope::variable(name);
    push_text(state_, name);
    const bool known = lua_gettable(state_, table_) != LUA_TNIL;
    std::optional<Object> object;
    if (known) object = operand(state_, -1);
    lua_pop(state_, 1);
    return known ? object : SessionScope::variable(name);
  }

 private:
  lua_State* state_;
  int table_;  // on the stack; 0: none
};

int evaluate_expression(lua_State* state) {
  const std::string text = check_text(state, 1);
  if (!lua_isnoneornil(state, 2)) luaL_checktype(state, 2, LUA_TTABLE);
  Interpreter& self = interpreter(state);
  const Limits::Pause pause(self.limits());
  ProgramScope scope(state, self.session(), lua_istable(state, 2) ? 2 : 0);
  with_context([&] { return fmt::format("evaluating '{}'", text); },
               [&] {
                 push_value(state,
                            evaluate(text, self.session().types(), self.session().memory(), scope));
               });
  self.need_budget();
  return 1;
}

int symbol_name(lua_State* state) {
  push_text(state, symbol_text(interpreter(state).session(), check_address(state, 1)));
  return 1;
}

constexpr luaL_Reg methods[] = {{"value", guarded<value>},
                                {"address", guarded<address>},
                                {"address_of", guarded<address_of>},
                                {"deref", guarded<dereference>},
                                {"cast", guarded<cast>},
                                {"container_of", guarded<container_of>},
                                {"member", guarded<member>},
                                {"members", guarded<members>},
                                {"snapshot", guarded<snapshot>},
                                {"is_null", guarded<is_null>},
                                {"string", guarded<string>},
                                {"sizeof", guarded<size>},
                                {"typeof", guarded<type>},
                                {nullptr, nullptr}};

}  // namespace

const luaL_Reg* object_methods() {
  return methods;
}

void open_object_functions(lua_State* state) {
  lua_pushglobaltable(state);
  // string is the name of Lua's own table: the function is called c_string.
  for (const luaL_Reg* method = methods; method->name != nullptr; ++method) {
    lua_pushcfunction(state, method->func);
    lua_setfield(state, -2, std::string_view(method->name) == "string" ? "c_string" : method->name);
  }
  const luaL_Reg functions[] = {{"evaluate", guarded<evaluate_expression>},
                                {"symbol_at", guarded<symbol_name>},
                                {nullptr, nullptr}};
  luaL_setfuncs(state, functions, 0);
  lua_pop(state, 1);
}

}  // namespace kvmscope::lua
