#include "core/probe/fetch.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/base/bits.hpp"
#include "core/base/error.hpp"
#include "core/base/nearest.hpp"
#include "core/expression/lexer.hpp"
#include "core/expression/tree.hpp"
#include "core/object/object.hpp"
#include "core/probe/place_value.hpp"
#include "core/probe/registers.hpp"

namespace kvmscope::probe {
namespace {

// "mmu_zap_unsync_children+0x113 to +0x123 (arch/x86/kvm/mmu/mmu.c:2446)"
std::string range_name(const CodeSource& code, const CodeRange& range) {
  const CodePlace begin = code.place(range.begin);
  const CodePlace last = code.place(range.end - 1);
  std::string text = place_name(begin);
  text += last.symbol == begin.symbol ? fmt::format(" to +{:#x}", last.offset)
                                      : fmt::format(" to {}", place_name(last));
  const std::string line = code.line_at(range.begin);
  return line.empty() ? text : fmt::format("{} ({})", text, line);
}

std::string where_available(const CodeSource& code, const CodeVariable& variable) {
  constexpr std::size_t shown = 6;
  if (variable.available.empty()) return "; the debug info has it nowhere";
  std::string text = "; it is available from ";
  for (std::size_t i = 0; i < std::min(shown, variable.available.size()); ++i)
    text += (i == 0 ? "" : ", ") + range_name(code, variable.available[i]);
  if (variable.available.size() > shown)
    text += fmt::format(" and {} more", variable.available.size() - shown);
  return text;
}

const CodeVariable* find_variable(std::string_view name, const FetchScope& scope) {
  for (const CodeVariable& variable : scope.variables)
    if (variable.name == name) return &variable;
  return nullptr;
}

// Empty: the variable is there.
std::string why_lost(std::string_view name, const FetchScope& scope) {
  const CodeVariable* variable = find_variable(name, scope);
  if (variable == nullptr) {
    std::vector<std::string> names;
    for (const CodeVariable& known : scope.variables) names.push_back(known.name);
    return fmt::format("no parameter or local '{}' at {}{}", name, place_name(scope.place),
                       did_you_mean(name, names));
  }
  if (variable->location.lost.empty()) return "";
  return fmt::format("'{}' is not available at {}: {}{}", name, place_name(scope.place),
                     variable->location.lost, where_available(scope.code, *variable));
}

std::string why_lost_in(const Node& node, const FetchScope& scope) {
  if (node.kind == NodeKind::symbol) return why_lost(node.text, scope);
  for (const auto& child : node.children) {
    std::string reason = why_lost_in(*child, scope);
    if (!reason.empty()) return reason;
  }
  return "";
}

// Builds a PlaceValue along the tree of an expression.
class Compiler {
 public:
  explicit Compiler(const FetchScope& scope) : scope_(scope) {}

  PlaceValue value(const Node& node) const {
    return at_column(node.column, [&] { return compile(node); });
  }

 private:
  PlaceValue child(const Node& node) const { return value(*node.children.front()); }

  PlaceValue compile(const Node& node) const {
    switch (node.kind) {
      case NodeKind::symbol: return variable(node.text);
      case NodeKind::variable: return return_value(node.text);
      case NodeKind::member: return child(node).member(node.text);
      case NodeKind::arrow: return child(node).arrow(node.text);
      case NodeKind::index: return child(node).index(constant(*node.children[1]));
      case NodeKind::dereference: return child(node).dereferenced();
      case NodeKind::address_of: return child(node).address_of();
      case NodeKind::cast: return child(node).cast(resolve(node.type, scope_.types));
      case NodeKind::container_of:
        return child(node).container_of(resolve(node.type, scope_.types), node.text);
      default:
        throw_error(ErrorKind::usage,
                    "a probe only records members, elements and what pointers lead to: it cannot "
                    "calculate; record the parts");
    }
  }

  std::int64_t constant(const Node& node) const {
    if (node.kind == NodeKind::number) return static_cast<std::int64_t>(node.number);
    if (node.kind == NodeKind::unary && node.unary == UnaryOperator::minus)
      return -constant(*node.children.front());
    throw_at(node.column, "a probe can only take an element by a number that is known now");
  }

  PlaceValue variable(std::string_view name) const {
    if (scope_.result)
      throw_error(ErrorKind::usage, "'{}' is gone when the function returns: only $retval is there",
                  name);
    const std::string reason = why_lost(name, scope_);
    if (!reason.empty()) throw Error(ErrorKind::usage, reason);
    const CodeVariable& found = *find_variable(name, scope_);
    const CodeLocation& location = found.location;
    if (location.base && *location.base >= register_names.size())
      throw_error(ErrorKind::usage, "'{}' is in a register that a probe cannot read", name);
    return {scope_.types, found.type ? found.type.get() : void_type(),
            std::string(location.base ? register_names[*location.base] : ""), location.offsets,
            location.is_value};
  }

  PlaceValue return_value(std::string_view name) const {
    if (name != "retval")
      throw_error(ErrorKind::usage, "no value '${}': a probe knows $retval alone", name);
    if (!scope_.result) throw_error(ErrorKind::usage, "$retval exists at a return only (--return)");
    if (!*scope_.result) throw_error(ErrorKind::usage, "the function returns nothing");
    return {scope_.types, scope_.result->get(), "$retval", {0}, true};
  }

  const FetchScope& scope_;
};

std::string field_name(std::string_view text) {
  // MAX_ARG_NAME_LEN of kernel/trace/trace_probe.h, without the NUL and a number behind it.
  constexpr std::size_t max_length = 28;
  std::string name;
  for (const char c : text) {
    const bool is_letter = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (is_letter)
      name += c;
    else if (!name.empty() && name.back() != '_')
      name += '_';
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  if (name.size() > max_length) name.erase(0, name.size() - max_length);
  while (!name.empty() && name.front() == '_') name.erase(0, 1);
  // The kernel keeps some names for itself (reserved_field_names in trace_probe.c).
  const bool is_reserved = name.starts_with("common_");
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0 || is_reserved)
    name.insert(0, "v_");
  return name;
}

}  // namespace

FetchScope scope_at(const Types& types, const CodeSource& code, const CodePlace& place) {
  return {.types = types, .code = code, .place = place, .variables = code.variables(place.address)};
}

std::string why_unavailable(std::string_view text, const FetchScope& scope) {
  const Expression expression = parse_expression(text, scope.types);
  return scope.result ? "" : why_lost_in(*expression, scope);
}

FetchArg fetch_argument(std::string_view text, const FetchScope& scope) {
  const Expression expression = parse_expression(text, scope.types);
  const PlaceValue value = Compiler(scope).value(*expression);
  const PlaceValue::Fetch fetch = at_column(expression->column, [&] { return value.fetch(); });
  return {.text = std::string(text),
          .field = {},
          .fetch = fetch.text,
          .is_signed = value.is_signed(),
          .is_hex = value.is_hex(),
          .addend = fetch.addend,
          .bits = fetch.bits};
}

void name_fields(std::vector<FetchArg>& args) {
  std::set<std::string> taken;
  for (FetchArg& arg : args) {
    const std::string name = field_name(arg.text);
    arg.field = name;
    for (int i = 2; !taken.insert(arg.field).second; ++i) arg.field = fmt::format("{}_{}", name, i);
  }
}

std::uint64_t value_of(const FetchArg& arg, std::uint64_t recorded) {
  const std::uint64_t sum = recorded + arg.addend;
  if (arg.bits >= 64) return sum;
  if (arg.is_signed) return static_cast<std::uint64_t>(sign_extend(sum, arg.bits));
  return sum & ((std::uint64_t{1} << arg.bits) - 1);
}

}  // namespace kvmscope::probe
