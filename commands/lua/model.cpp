// The KVM model: VMs, vCPUs, roots and pages as tables with methods, written in Lua over the
// commands.

#include <string_view>

#include "commands/lua/api.hpp"

namespace kvmscope::lua {
namespace {

constexpr std::string_view source = R"LUA(
-- A record becomes a value of the model: methods first, then the fields of its command (those that
-- are null, too), then the members of the C struct that it is about. A field that has a method's
-- name is a count: vm.n_vcpus.
local function new_class(type_name, address_field, methods)
  local class = { fields = {}, methods = methods }
  local function object_of(self)
    local object = rawget(self, 'object')
    if object then return object end
    local address = rawget(self, address_field)
    if math.type(address) ~= 'integer' then
      error(fmt('%s has no %s', rawget(self, 'name') or 'it', type_name), 3)
    end
    object = cast(address, type_name .. ' *')
    rawset(self, 'object', object)
    return object
  end
  function class.__index(self, key)
    local method = methods[key]
    if method ~= nil then return method end
    if class.fields[key] then return nil end
    local object = object_of(self)
    return key == 'object' and object or object[key]
  end
  function class.__tostring(self)
    return fmt('%s %s', type_name,
               rawget(self, 'name') or fmt('%#x', rawget(self, address_field) or 0))
  end
  return class
end

-- {level = 2, unsync = true} as " --level 0x2 --unsync".
local function options(given)
  local words = {}
  for name, value in pairs(given or {}) do
    local option = ' --' .. name:gsub('_', '-')
    if value == true then
      words[#words + 1] = option
    elseif value ~= false then
      if math.type(value) == 'integer' then value = fmt('%#x', value) end
      words[#words + 1] = option .. ' ' .. tostring(value)
    end
  end
  table.sort(words)
  return table.concat(words)
end

-- The records of a command as values of a class, those that `fits` takes.
local function all(class, line, fits)
  local records = command(line)
  local counts = {}
  for _, name in ipairs(records.columns) do
    class.fields[name] = true
    if class.methods[name] then
      counts[#counts + 1] = name
      class.fields['n_' .. name] = true
    end
  end
  local found = { notes = records.notes, status = records.status }
  for _, record in ipairs(records) do
    for _, name in ipairs(counts) do
      record['n_' .. name], record[name] = record[name], nil
    end
    if fits == nil or fits(record) then found[#found + 1] = setmetatable(record, class) end
  end
  return found
end

local function each(records)
  local at = 0
  return function()
    at = at + 1
    return records[at]
  end
end

-- What roots and pages have in common: `place` says what the commands call them.
local function tree_methods(place)
  return {
    walk = function(self, given) return each(command('tree ' .. place(self) .. options(given))) end,
    path = function(self, address)
      if math.type(address) == 'integer' then address = fmt('%#x', address) end
      return command('path ' .. place(self) .. ' ' .. address)
    end,
    levels = function(self) return command('levels ' .. place(self)) end,
  }
end

local root_methods = tree_methods(function(root) return root.name end)
function root_methods.unsync(root) return command('unsync ' .. root.name) end
local Root = new_class('struct kvm_mmu_page', 'sp', root_methods)
local Page = new_class('struct kvm_mmu_page', 'sp',
                       tree_methods(function(page) return fmt('%#x', page.sp) end))

local Vcpu = new_class('struct kvm_vcpu', 'kvm_vcpu', {
  roots = function(self)
    return all(Root, 'roots ' .. self.vm, function(root) return root.vcpu == self.vcpu end)
  end,
  sample = function(self) return sample_roots(self.object.kvm, self.kvm_vcpu) end,
})

local Vm = new_class('struct kvm', 'kvm', {
  vcpus = function(self) return all(Vcpu, 'vcpus ' .. self.vm) end,
  roots = function(self) return all(Root, 'roots ' .. self.vm) end,
  pages = function(self, given) return all(Page, 'pages ' .. self.vm .. options(given)) end,
  slots = function(self) return command('slots ' .. self.vm) end,
})

function vms() return all(Vm, 'vms') end

-- cmd.roots('0') is command('roots 0'); cmd.pages('0', {unsync = true}).
cmd = setmetatable({}, {
  __index = function(_, name)
    return function(words, given)
      return command(name:gsub('_', ' ') .. ' ' .. tostring(words or '') .. options(given))
    end
  end,
})

-- Keys in order, so that the same value is the same text.
local function to_json(value, depth)
  if depth > 100 then error('json(): a table in itself', 3) end
  local kind = math.type(value) or type(value)
  if kind == 'integer' then return fmt('%u', value) end
  if kind == 'float' or kind == 'boolean' then return tostring(value) end
  if kind == 'nil' then return 'null' end
  if is_lost(value) then return '{"lost": ' .. json_string(value.message) .. '}' end
  if kind ~= 'table' then return json_string(tostring(value)) end
  local parts = {}
  if #value > 0 or next(value) == nil then
    for i, element in ipairs(value) do parts[i] = to_json(element, depth + 1) end
    return '[' .. table.concat(parts, ', ') .. ']'
  end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = tostring(key) end
  table.sort(keys)
  for i, key in ipairs(keys) do
    parts[i] = json_string(key) .. ': ' .. to_json(value[key], depth + 1)
  end
  return '{' .. table.concat(parts, ', ') .. '}'
end
function json(value) return to_json(value, 0) end

NULL = nil  -- made when it is first used: it needs the debug info
setmetatable(_G, {
  __index = function(globals, name)
    if name ~= 'NULL' then return nil end
    rawset(globals, name, cast(0, 'void *'))
    return rawget(globals, name)
  end,
})
)LUA";

}  // namespace

void open_model(lua_State* state) {
  if (luaL_loadbufferx(state, source.data(), source.size(), model_chunk, "t") != LUA_OK)
    lua_error(state);
  lua_call(state, 0, 0);
}

}  // namespace kvmscope::lua
