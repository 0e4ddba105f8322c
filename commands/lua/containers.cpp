// The kernel's containers as Lua iterators: walked at once, within the limits of a command.

#include "core/object/containers.hpp"

#include <new>

#include "commands/lua/api.hpp"
#include "commands/lua/errors.hpp"
#include "commands/lua/interpreter.hpp"
#include "commands/lua/objects.hpp"
#include "commands/shell/live_reading.hpp"
#include "core/kernel/kernel.hpp"
#include "core/memory/settle.hpp"
#include "core/object/member_path.hpp"

namespace kvmscope::lua {
namespace {

constexpr char metatable = 0;  // its address is the key

// What a walk found, and what ended it early: that is raised behind the last node.
struct Nodes {
  struct Node {
    std::uint64_t index = 0;  // of an xarray
    std::uint64_t value = 0;
  };
  std::vector<Node> nodes;
  std::optional<Error> failure;
  std::size_t next = 0;
  bool has_index = false;
  std::optional<Object> like;  // of the elements: a pointer; none: numbers
};

int step(lua_State* state) {
  auto& nodes = *static_cast<Nodes*>(lua_touserdata(state, lua_upvalueindex(1)));
  if (nodes.next == nodes.nodes.size()) {
    if (nodes.failure) throw Error(*nodes.failure);
    return 0;
  }
  const Nodes::Node& node = nodes.nodes[nodes.next++];
  if (nodes.has_index) lua_pushinteger(state, static_cast<lua_Integer>(node.index));
  if (nodes.like)
    push_object(state, nodes.like->sibling_value(nodes.like->type(), node.value));
  else
    lua_pushinteger(state, static_cast<lua_Integer>(node.value));
  return nodes.has_index ? 2 : 1;
}

int destroy(lua_State* state) {
  static_cast<Nodes*>(lua_touserdata(state, 1))->~Nodes();
  return 0;
}

Nodes& push_nodes(lua_State* state) {
  void* const place = lua_newuserdatauv(state, sizeof(Nodes), 0);
  auto* const nodes = new (place) Nodes;
  lua_rawgetp(state, LUA_REGISTRYINDEX, &metatable);
  lua_setmetatable(state, -2);
  return *nodes;
}

using Walk = std::function<void(const VirtReader& memory)>;

// Walks on a kernel that runs until the container held still, a bounded number of times.
void fill(lua_State* state, Nodes& nodes, const Walk& walk) {
  Interpreter& self = interpreter(state);
  const Limits::Pause pause(self.limits());
  const Kernel& kernel = self.session().kernel();
  {
    LiveReading reading(self.session());
    nodes.failure = lost_in([&] {
      const std::string change = settle(kernel.steady(), [&] {
        nodes.nodes.clear();
        walk(kernel.memory());
      });
      if (!change.empty()) throw_error(ErrorKind::torn, "elements may be missing: {}", change);
    });
  }
  self.renew_budget();
}

const Type& pointer_type(lua_State* state, int index) {
  Interpreter& self = interpreter(state);
  const std::string name = luaL_checkstring(state, index);
  return self.session().types().pointer_to(self.named_type(name));
}

Object null_of(lua_State* state, const Type& pointer) {
  Interpreter& self = interpreter(state);
  return Object::value(self.session().types(), self.session().kernel().memory(), pointer, 0);
}

using Walker = void (*)(const VirtReader&, VirtAddr, const NodeVisitor&, std::uint64_t);

// list(head, TYPE, MEMBER)
template <Walker walker>
int embedded(lua_State* state) {
  const VirtAddr head{check_address(state, 1)};
  const Type& pointer = pointer_type(state, 2);
  const std::string member = luaL_checkstring(state, 3);
  const FoundMember link =
      need_member_path(interpreter(state).session().types(), target_of(pointer), member);
  if (link.bit_size != 0) throw_error(ErrorKind::usage, "'{}' is a bit field, no node", member);
  Nodes& nodes = push_nodes(state);
  nodes.like = null_of(state, pointer);
  fill(state, nodes, [&](const VirtReader& memory) {
    walker(
        memory, head,
        [&](VirtAddr node) {
          nodes.nodes.push_back({0, node.value - link.bit_offset / 8});
        },
        default_walk_limit);
  });
  lua_pushcclosure(state, guarded<step>, 1);
  return 1;
}

XArrayLayout xarray_layout(const Types& types) {
  const auto offset = [&](std::string_view type, std::string_view member) {
    const FoundMember found = need_member(types, types.get(TypeKind::structure, type), member);
    return found.bit_offset / 8;
  };
  const FoundMember slots = need_member(types, types.get(TypeKind::structure, "xa_node"), "slots");
  XArrayLayout layout{.head = offset("xarray", "xa_head"),
                      .shift = offset("xa_node", "shift"),
                      .slots = slots.bit_offset / 8};
  if (const auto count = strip(*slots.type).count) layout.slot_count = *count;
  return layout;
}

// xarray(array[, TYPE])
int xarray(lua_State* state) {
  const VirtAddr array{check_address(state, 1)};
  const bool typed = !lua_isnoneornil(state, 2);
  Nodes& nodes = push_nodes(state);
  nodes.has_index = true;
  if (typed) nodes.like = null_of(state, pointer_type(state, 2));
  const XArrayLayout layout = xarray_layout(interpreter(state).session().types());
  fill(state, nodes, [&](const VirtReader& memory) {
    walk_xarray(memory, layout, array, [&](std::uint64_t index, std::uint64_t entry) {
      nodes.nodes.push_back({index, entry});
    });
  });
  lua_pushcclosure(state, guarded<step>, 1);
  return 1;
}

int next_element(lua_State* state) {
  const Object& array = check_object(state, 1);
  const std::uint64_t index = check_bits(state, 2) + 1;
  if (index >= strip(array.type()).count.value_or(0)) return 0;
  lua_pushinteger(state, static_cast<lua_Integer>(index));
  push_value(state, array.index(static_cast<std::int64_t>(index)));
  return 2;
}

// elements(array): index and element, as ipairs() has them, from 0.
int elements(lua_State* state) {
  const Object& array = check_object(state, 1);
  if (!array.is_array() || !strip(array.type()).count)
    throw_error(ErrorKind::usage, "{} is no array of known length", type_name(array.type()));
  lua_pushcfunction(state, guarded<next_element>);
  lua_pushvalue(state, 1);
  lua_pushinteger(state, -1);
  return 3;
}

}  // namespace

void open_containers(lua_State* state) {
  lua_newtable(state);
  lua_pushcfunction(state, destroy);
  lua_setfield(state, -2, "__gc");
  lua_rawsetp(state, LUA_REGISTRYINDEX, &metatable);
  const luaL_Reg functions[] = {{"list", guarded<embedded<walk_list>>},
                                {"hlist", guarded<embedded<walk_hlist>>},
                                {"rbtree", guarded<embedded<walk_rbtree>>},
                                {"xarray", guarded<xarray>},
                                {"elements", guarded<elements>},
                                {nullptr, nullptr}};
  lua_pushglobaltable(state);
  luaL_setfuncs(state, functions, 0);
  lua_pop(state, 1);
}

}  // namespace kvmscope::lua
