#include "commands/lua/objects.hpp"

#include <new>

#include "commands/expressions.hpp"
#include "commands/lua/api.hpp"
#include "commands/lua/errors.hpp"
#include "commands/lua/interpreter.hpp"
#include "commands/lua/text.hpp"
#include "core/object/arithmetic.hpp"
#include "core/object/member_path.hpp"

namespace kvmscope::lua {
namespace {

constexpr char tag = 0;      // its address marks our userdata
constexpr char plain = 0;    // keys of the metatables
constexpr char copying = 0;  // of those that hold a copy of memory, and must be destroyed

struct Box {
  const void* tag;
  Object object;
};

Box* to_box(lua_State* state, int index) {
  if (lua_type(state, index) != LUA_TUSERDATA || lua_rawlen(state, index) != sizeof(Box))
    return nullptr;
  Box* box = static_cast<Box*>(lua_touserdata(state, index));
  return box->tag == &tag ? box : nullptr;
}

// The struct that the members of an object belong to: a pointer's is behind it.
const Type& aggregate_of(const Object& object) {
  return object.is_pointer() ? target_of(object.type()) : object.type();
}

// object.NAME: a member, else a method; object[N]: an element.
int index(lua_State* state) {
  const Object& object = check_object(state, 1);
  if (lua_type(state, 2) != LUA_TSTRING) {
    push_value(state, object.index(static_cast<std::int64_t>(check_bits(state, 2))));
    return 1;
  }
  std::size_t size = 0;
  const char* text = lua_tolstring(state, 2, &size);
  const std::string_view name(text, size);
  const Type& aggregate = aggregate_of(object);
  if (const FoundMember* found =
          interpreter(state).members().find(object.types(), aggregate, name)) {
    const Object& whole = object.is_pointer() ? object.dereference() : object;
    push_value(state, whole.part(*found->type, found->bit_offset, found->bit_size));
    return 1;
  }
  lua_pushvalue(state, 2);
  if (lua_rawget(state, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  need_member(object.types(), aggregate, name);  // throws, with near names
  return 0;
}

int refuse_to_write(lua_State* state) {
  return luaL_error(state, "kvmscope only reads: the kernel's memory cannot be changed");
}

int length(lua_State* state) {
  const Object& object = check_object(state, 1);
  const Type& type = strip(object.type());
  if (type.kind != TypeKind::array || !type.count)
    throw_error(ErrorKind::usage, "{} has no length", type_name(object.type()));
  lua_pushinteger(state, static_cast<lua_Integer>(*type.count));
  return 1;
}

int to_string(lua_State* state) {
  push_text(state, object_text(state, check_object(state, 1), false));
  return 1;
}

int concatenate(lua_State* state) {
  luaL_tolstring(state, 1, nullptr);
  luaL_tolstring(state, 2, nullptr);
  lua_concat(state, 2);
  return 1;
}

// Whether they are at the same place, or the same number.
int equal(lua_State* state) {
  lua_pushboolean(state, check_address(state, 1) == check_address(state, 2) ? 1 : 0);
  return 1;
}

template <BinaryOperator op>
int binary(lua_State* state) {
  push_value(state, apply(op, operand(state, 1), operand(state, 2)));
  return 1;
}

template <BinaryOperator op>
int compare(lua_State* state) {
  lua_pushboolean(state, apply(op, operand(state, 1), operand(state, 2)).as_bool() ? 1 : 0);
  return 1;
}

template <UnaryOperator op>
int unary(lua_State* state) {
  push_value(state, apply(op, operand(state, 1)));
  return 1;
}

int destroy(lua_State* state) {
  if (Box* box = to_box(state, 1)) box->object.~Object();
  return 0;
}

using B = BinaryOperator;
constexpr luaL_Reg metamethods[] = {
    {"__newindex", refuse_to_write},
    {"__len", guarded<length>},
    {"__tostring", guarded<to_string>},
    {"__concat", guarded<concatenate>},
    {"__eq", guarded<equal>},
    {"__lt", guarded<compare<B::less>>},
    {"__le", guarded<compare<B::less_equal>>},
    {"__add", guarded<binary<B::add>>},
    {"__sub", guarded<binary<B::subtract>>},
    {"__mul", guarded<binary<B::multiply>>},
    {"__div", guarded<binary<B::divide>>},
    {"__idiv", guarded<binary<B::divide>>},
    {"__mod", guarded<binary<B::remainder>>},
    {"__shl", guarded<binary<B::shift_left>>},
    {"__shr", guarded<binary<B::shift_right>>},
    {"__band", guarded<binary<B::bit_and>>},
    {"__bor", guarded<binary<B::bit_or>>},
    {"__bxor", guarded<binary<B::bit_xor>>},
    {"__bnot", guarded<unary<UnaryOperator::complement>>},
    {"__unm", guarded<unary<UnaryOperator::minus>>},
    {nullptr, nullptr},
};

// The table of methods is on the stack's top, and stays there.
void make_metatable(lua_State* state, const char* key, bool has_copy) {
  lua_newtable(state);
  luaL_setfuncs(state, metamethods, 0);
  lua_pushvalue(state, -2);
  lua_pushcclosure(state, guarded<index>, 1);
  lua_setfield(state, -2, "__index");
  lua_pushliteral(state, "object");
  lua_setfield(state, -2, "__metatable");
  if (has_copy) {
    lua_pushcfunction(state, destroy);
    lua_setfield(state, -2, "__gc");
  }
  lua_rawsetp(state, LUA_REGISTRYINDEX, key);
}

}  // namespace

void open_objects(lua_State* state) {
  lua_newtable(state);
  luaL_setfuncs(state, object_methods(), 0);
  make_metatable(state, &plain, false);
  make_metatable(state, &copying, true);
  lua_pop(state, 1);
}

void push_object(lua_State* state, Object object) {
  // Without a copy there is nothing to destroy, and a finalizer makes collecting slow.
  const char* metatable = object.is_snapshot() ? &copying : &plain;
  void* const place = lua_newuserdatauv(state, sizeof(Box), 0);
  new (place) Box{&tag, std::move(object)};
  lua_rawgetp(state, LUA_REGISTRYINDEX, metatable);
  lua_setmetatable(state, -2);
}

void push_value(lua_State* state, const Object& object) {
  const Type& type = strip(object.type());
  switch (type.kind) {
    case TypeKind::boolean: lua_pushboolean(state, object.as_bool() ? 1 : 0); return;
    case TypeKind::enumeration:
    case TypeKind::integer:
      if (type.size > sizeof(lua_Integer)) return push_object(state, object);
      lua_pushinteger(state, object.as_signed());
      return;
    case TypeKind::pointer: return push_object(state, object.decayed());
    default: return push_object(state, object);
  }
}

const Object* to_object(lua_State* state, int index) {
  const Box* box = to_box(state, index);
  return box != nullptr ? &box->object : nullptr;
}

const Object& check_object(lua_State* state, int index) {
  const Object* object = to_object(state, index);
  if (object == nullptr) luaL_typeerror(state, index, "kernel object");
  return *object;
}

Object operand(lua_State* state, int index) {
  if (const Object* object = to_object(state, index)) return *object;
  Interpreter& self = interpreter(state);
  const Types& types = self.session().types();
  return Object::value(types, self.memory(), types.integer(8, true), check_bits(state, index));
}

std::uint64_t check_bits(lua_State* state, int index) {
  if (const Object* object = to_object(state, index)) return object->as_unsigned();
  if (lua_type(state, index) == LUA_TBOOLEAN)
    return static_cast<std::uint64_t>(lua_toboolean(state, index));
  return static_cast<std::uint64_t>(luaL_checkinteger(state, index));
}

std::uint64_t check_address(lua_State* state, int index) {
  const Object* object = to_object(state, index);
  if (object == nullptr) return check_bits(state, index);
  const bool is_place =
      is_aggregate(object->type()) || strip(object->type()).kind == TypeKind::void_type;
  return is_place && object->address() ? object->address()->value : object->as_unsigned();
}

std::string object_text(lua_State* state, const Object& object, bool one_line) {
  const Limits::Pause pause(interpreter(state).limits());
  FormatOptions options = format_options(interpreter(state).session(), {});
  options.one_line = one_line;
  const Formatted formatted = format(object, options);
  if (formatted.all_lost) throw Error(ErrorKind::fault, formatted.reason);
  return fmt::format("({}){}", type_name(object.type()), formatted.text);
}

}  // namespace kvmscope::lua
