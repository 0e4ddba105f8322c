// What a program says: print, printf, and formatting that knows addresses. Every byte is made
// harmless on its way out.

#include <algorithm>
#include <cstdio>

#include "commands/expressions.hpp"
#include "commands/lua/api.hpp"
#include "commands/lua/errors.hpp"
#include "commands/lua/interpreter.hpp"
#include "commands/lua/objects.hpp"
#include "commands/lua/text.hpp"
#include "commands/output/escape.hpp"

namespace kvmscope::lua {
namespace {

void write(lua_State* state, std::string_view text) {
  Interpreter& self = interpreter(state);
  const Limits::Pause pause(self.limits());
  self.session().console().out->write(escape_text(text, "\n\t"));
}

// An object on one line; anything else as tostring() has it.
std::string text_of(lua_State* state, int index) {
  if (const Object* object = to_object(state, index)) return object_text(state, *object, true);
  return to_text(state, index);
}

// The same for a conversion that C makes, which would lose what stands behind a zero byte.
std::string check_c_text(lua_State* state, int index) {
  std::string text = text_of(state, index);
  if (text.find('\0') != std::string::npos)
    throw Error(ErrorKind::usage, "a text with zero bytes has no width: use %s alone");
  return text;
}

// "%-08.3x": one conversion of a format.
struct Conversion {
  std::string flags;  // with width and precision
  char letter = 0;
};

Conversion take_conversion(std::string_view& rest) {
  const std::size_t end = std::min(rest.find_first_not_of("-+ #0123456789."), rest.size());
  Conversion conversion{std::string(rest.substr(0, end)), end < rest.size() ? rest[end] : '\0'};
  const auto digits = [&](std::size_t from, std::size_t to) {
    return std::count_if(conversion.flags.begin() + static_cast<std::ptrdiff_t>(from),
                         conversion.flags.begin() + static_cast<std::ptrdiff_t>(to),
                         [](char c) { return c >= '0' && c <= '9'; });
  };
  const std::size_t point = std::min(conversion.flags.find('.'), conversion.flags.size());
  if (conversion.letter == '\0')
    throw_error(ErrorKind::usage, "a format ends inside of '%{}'", conversion.flags);
  if (digits(0, point) > 3 || digits(point, conversion.flags.size()) > 3 ||
      conversion.flags.size() > 12 || conversion.flags.find('.', point + 1) != std::string::npos)
    throw_error(ErrorKind::usage, "'%{}' is too wide", conversion.flags);
  rest.remove_prefix(end + 1);
  return conversion;
}

template <typename Value>
std::string printed(const Conversion& conversion, std::string_view letters, Value value) {
  const std::string format = fmt::format("%{}{}", conversion.flags, letters);
  const int size = std::snprintf(nullptr, 0, format.c_str(), value);
  std::string text(static_cast<std::size_t>(std::max(size, 0)) + 1, '\0');
  std::snprintf(text.data(), text.size(), format.c_str(), value);
  text.pop_back();
  return text;
}

std::string address_text(lua_State* state, std::uint64_t address) {
  Session& session = interpreter(state).session();
  const std::string symbol = session.uses_target() ? symbol_text(session, address) : "";
  return symbol.empty() ? fmt::format("{:#x}", address)
                        : fmt::format("{:#x} <{}>", address, symbol);
}

std::string converted(lua_State* state, const Conversion& conversion, int index) {
  using Signed = long long;
  using Unsigned = unsigned long long;
  switch (conversion.letter) {
    case 'd':
    case 'i': {
      const Object* object = to_object(state, index);
      const std::uint64_t bits = check_bits(state, index);
      if (object != nullptr && !object->is_signed())
        return printed(conversion, "llu", Unsigned{bits});
      return printed(conversion, "lld", static_cast<Signed>(bits));
    }
    case 'u': return printed(conversion, "llu", Unsigned{check_bits(state, index)});
    case 'x': return printed(conversion, "llx", Unsigned{check_address(state, index)});
    case 'X': return printed(conversion, "llX", Unsigned{check_address(state, index)});
    case 'o': return printed(conversion, "llo", Unsigned{check_bits(state, index)});
    case 'c': return printed(conversion, "c", static_cast<int>(check_bits(state, index)));
    case 'e':
    case 'f':
    case 'g':
      return printed(conversion, std::string(1, conversion.letter), luaL_checknumber(state, index));
    case 's':
      return conversion.flags.empty()
                 ? text_of(state, index)
                 : printed(conversion, "s", check_c_text(state, index).c_str());
    case 'p':
      return printed(conversion, "s", address_text(state, check_address(state, index)).c_str());
    default:
      throw_error(ErrorKind::usage, "there is no '%{}{}': use %d %i %u %x %X %o %c %e %f %g %s %p",
                  conversion.flags, conversion.letter);
  }
}

std::string formatted(lua_State* state) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(state, 1, &size);
  const Limits::Pause pause(interpreter(state).limits());
  std::string_view rest(text, size);
  std::string result;
  for (int index = 1;;) {
    const std::size_t percent = rest.find('%');
    result += rest.substr(0, percent);
    if (percent == std::string_view::npos) break;
    rest.remove_prefix(percent + 1);
    if (rest.starts_with('%')) {
      result += '%';
      rest.remove_prefix(1);
      continue;
    }
    const Conversion conversion = take_conversion(rest);
    luaL_checkany(state, ++index);
    result += converted(state, conversion, index);
  }
  return result;
}

int format_text(lua_State* state) {
  push_text(state, formatted(state));
  return 1;
}

int print_formatted(lua_State* state) {
  write(state, formatted(state));
  return 0;
}

int print(lua_State* state) {
  std::string line;
  for (int index = 1; index <= lua_gettop(state); ++index) {
    line += index > 1 ? "\t" : "";
    line += to_text(state, index);
  }
  write(state, line + '\n');
  return 0;
}

// A string as JSON has it, in quotes.
int json_text(lua_State* state) {
  std::string json;
  append_json_string(json, check_text(state, 1));
  push_text(state, json);
  return 1;
}

}  // namespace

void open_output(lua_State* state) {
  const luaL_Reg functions[] = {{"print", guarded<print>},
                                {"printf", guarded<print_formatted>},
                                {"fmt", guarded<format_text>},
                                {"json_string", guarded<json_text>},
                                {nullptr, nullptr}};
  lua_pushglobaltable(state);
  luaL_setfuncs(state, functions, 0);
  lua_pop(state, 1);
}

}  // namespace kvmscope::lua
