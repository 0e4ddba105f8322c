#include "commands/expressions.hpp"

#include <array>

#include "core/base/nearest.hpp"
#include "core/expression/lexer.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope {
namespace {

// A symbol of unknown size is not taken for what lies further behind it than this, bytes.
constexpr std::uint64_t largest_unsized = 1 << 20;

constexpr std::size_t most_names = 2000;  // that a misspelt type is compared with

// Functions have no type in our debug info, but an address.
const Type& function_type() {
  static const Type type = [] {
    Type made;
    made.kind = TypeKind::function;
    return made;
  }();
  return type;
}

bool is_function(const Symbol& symbol) {
  constexpr std::string_view text_types = "tTwW";
  return text_types.find(symbol.type) != std::string_view::npos;
}

const Type* find_tagged(const Types& types, std::string_view name) {
  constexpr std::array tags_first = {TypeKind::structure, TypeKind::union_type,
                                     TypeKind::enumeration, TypeKind::typedef_type};
  constexpr std::array typedefs_first = {TypeKind::typedef_type, TypeKind::structure,
                                         TypeKind::union_type, TypeKind::enumeration};
  // A search in vain may open vmlinux: try first what the name looks like.
  const bool like_typedef = name.ends_with("_t") || name.size() <= 3;
  for (const TypeKind kind : like_typedef ? typedefs_first : tags_first)
    if (const Type* found = types.find(kind, name).type) return found;
  return nullptr;
}

}  // namespace

std::optional<Object> SessionScope::symbol(std::string_view name) const {
  const Kernel& kernel = session_.kernel();
  const std::optional<Symbol> symbol = kernel.find_symbol(name);
  if (!symbol) return std::nullopt;
  const Type* type = is_function(*symbol) ? &function_type() : kernel.variable_type(name);
  return Object::reference(kernel.types(), kernel.memory(), type != nullptr ? *type : void_type(),
                           VirtAddr{symbol->address});
}

std::optional<Object> SessionScope::variable(std::string_view name) const {
  const auto found = session_.variables().find(std::string(name));
  return found != session_.variables().end() ? std::optional(found->second) : std::nullopt;
}

void SessionScope::assign(std::string_view name, const Object& value) {
  session_.variables().insert_or_assign(std::string(name), value);
}

std::vector<std::string> SessionScope::names() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : session_.variables()) names.push_back(name);
  return names;
}

Object evaluate(Session& session, std::string_view expression) {
  SessionScope scope(session);
  return evaluate(expression, session.types(), session.memory(), scope);
}

std::uint64_t evaluate_address(Session& session, std::string_view expression) {
  const Object object = evaluate(session, expression);
  const bool is_place =
      is_aggregate(object.type()) || strip(object.type()).kind == TypeKind::void_type;
  return is_place && object.address() ? object.address()->value : object.as_unsigned();
}

const Type& named_type(const Types& types, std::string_view name) {
  const TypeName parsed = parse_type_name(name);
  if (parsed.kind || !parsed.steps.empty()) return resolve(parsed, types);
  if (const Type* found = find_tagged(types, parsed.name)) return *found;
  const std::vector<std::string> near =
      types.names(TypeKind::structure, parsed.name.substr(0, parsed.name.size() / 2), most_names);
  throw_at(parsed.column, "no struct, union, enum or typedef '{}' in the debug info{}", parsed.name,
           did_you_mean(parsed.name, near));
}

std::optional<Symbol> symbol_around(const Kernel& kernel, std::uint64_t address) {
  std::optional<Symbol> symbol = kernel.symbol_at(address);
  if (!symbol || symbol->address > address) return std::nullopt;
  const std::uint64_t offset = address - symbol->address;
  const bool inside = symbol->size != 0 ? offset < symbol->size : offset < largest_unsized;
  return inside ? symbol : std::nullopt;
}

std::string symbol_text(Session& session, std::uint64_t address) {
  const std::optional<Symbol> symbol = symbol_around(session.kernel(), address);
  if (!symbol) return "";
  return fmt::format("{}+{:#x}{}", symbol->name, address - symbol->address,
                     symbol->module.empty() ? "" : fmt::format(" [{}]", symbol->module));
}

std::vector<Option> format_options() {
  using K = ArgumentKind;
  return {{"--depth", "N", K::number, "show structs nested deeper than N as {…}"},
          {"--elements", "N", K::number, "show at most N elements of an array (32)"},
          {"--hex", "", K::text, "all numbers in hex"},
          {"--decimal", "", K::text, "all numbers in decimal"},
          {"--raw", "", K::text, "no names of enums, functions and strings"}};
}

FormatOptions format_options(Session& session, const Arguments& args) {
  FormatOptions options;
  options.depth = static_cast<unsigned>(
      std::min<std::uint64_t>(args.number("--depth").value_or(options.depth), options.depth));
  options.elements = args.number("--elements").value_or(options.elements);
  if (args.has("--hex")) options.radix = Radix::hex;
  if (args.has("--decimal")) options.radix = Radix::decimal;
  options.interpret = !args.has("--raw");
  options.type = false;
  if (session.uses_target())
    options.symbolize = [&session](std::uint64_t address) { return symbol_text(session, address); };
  return options;
}

Value formatted_value(const Formatted& formatted, std::vector<std::string>& notes) {
  if (formatted.all_lost) return Lost{formatted.reason, false};
  if (formatted.lost != 0)
    notes.push_back(fmt::format("{} {} not be read: {}", formatted.lost,
                                formatted.lost == 1 ? "part could" : "parts could",
                                formatted.reason));
  return formatted.text;
}

}  // namespace kvmscope
