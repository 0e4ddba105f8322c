#include "core/expression/evaluate.hpp"

#include <utility>

#include "core/base/error.hpp"
#include "core/base/nearest.hpp"
#include "core/expression/lexer.hpp"
#include "core/object/member_path.hpp"

namespace kvmscope {
namespace {

class Evaluator {
 public:
  Evaluator(const Types& types, const VirtReader& memory, Scope& scope)
      : types_(types), memory_(memory), scope_(scope) {}

  // Errors that say nothing of their place get that of the innermost node.
  Object value(const Node& node) {
    return at_column(node.column, [&] { return evaluate(node); });
  }

 private:
  Object child(const Node& node, std::size_t index = 0) {
    const Object object = value(*node.children[index]);
    const bool is_read = object.is_reference() && node.kind != NodeKind::address_of &&
                         (object.is_pointer() || is_integral(object.type()));
    // Any number does where only the type of the result counts; 0 could be divided by.
    return unevaluated_ && is_read ? object.sibling_value(object.type(), 1) : object;
  }

  Object evaluate(const Node& node) {
    switch (node.kind) {
      case NodeKind::number:
        return number(types_.integer(node.is_long ? 8 : 4, !node.is_unsigned), node.number);
      case NodeKind::symbol:
      case NodeKind::variable: return name(node);
      case NodeKind::member: return child(node).member(node.text);
      case NodeKind::arrow: return child(node).arrow(node.text);
      case NodeKind::index: return index(node);
      case NodeKind::dereference: return child(node).dereference();
      case NodeKind::address_of: return child(node).address_of();
      case NodeKind::unary: return apply(node.unary, child(node));
      case NodeKind::binary: return apply(node.binary, child(node, 0), child(node, 1));
      case NodeKind::logical_and:
        return truth(child(node, 0).as_bool() && child(node, 1).as_bool());
      case NodeKind::logical_or: return truth(child(node, 0).as_bool() || child(node, 1).as_bool());
      case NodeKind::conditional: return conditional(node);
      case NodeKind::cast: return cast(node);
      case NodeKind::size_of_type: return size(size_of(types_, resolve(node.type, types_)));
      case NodeKind::size_of_value: return size_of_value(node);
      case NodeKind::offset_of: return offset_of(node);
      case NodeKind::container_of:
        return child(node).container_of(resolve(node.type, types_), node.text);
      case NodeKind::assignment: return assign(node);
      case NodeKind::call: return call(node);
    }
    throw_error(ErrorKind::internal, "an expression node of no kind");
  }

  Object number(const Type& type, std::uint64_t value) const {
    return Object::value(types_, memory_, type, value);
  }
  Object truth(bool value) const { return number(types_.integer(4, true), value ? 1 : 0); }
  Object size(std::uint64_t bytes) const { return number(types_.integer(8, false), bytes); }

  Object name(const Node& node) {
    const bool is_variable = node.kind == NodeKind::variable;
    const auto found = is_variable ? scope_.variable(node.text) : scope_.symbol(node.text);
    if (found) return *found;
    throw_at(node.column, "no {} '{}{}'{}", is_variable ? "variable" : "symbol",
             is_variable ? "$" : "", node.text, did_you_mean(node.text, scope_.names()));
  }

  Object call(const Node& node) {
    std::vector<Object> arguments;
    for (std::size_t i = 0; i < node.children.size(); ++i)
      arguments.push_back(child(node, i).decayed());
    const auto result = scope_.call(node.text, arguments);
    if (result) return *result;
    throw_at(node.column, "no function '{}': functions of the kernel cannot be called", node.text);
  }

  // 3[array] is C as well.
  Object index(const Node& node) {
    const Object left = child(node, 0);
    const Object right = child(node, 1);
    if (is_integral(right.type())) return left.index(right.as_signed());
    if (is_integral(left.type()) && (right.is_pointer() || right.is_array()))
      return right.index(left.as_signed());
    throw_error(ErrorKind::usage, "{} is no index", type_name(right.type()));
  }

  Object conditional(const Node& node) {
    const Object chosen = child(node, child(node, 0).as_bool() ? 1 : 2);
    return chosen;
  }

  Object cast(const Node& node) {
    const Type& type = resolve(node.type, types_);
    const Object object = child(node);
    if (strip(type).kind != TypeKind::void_type) return object.cast(type);
    throw_error(ErrorKind::usage, "a cast to void leaves no value");
  }

  Object size_of_value(const Node& node) {
    const bool outer = std::exchange(unevaluated_, true);
    const Object object = value(*node.children.front());
    unevaluated_ = outer;
    if (object.is_bit_field()) throw_error(ErrorKind::usage, "sizeof a bit field");
    return size(size_of(types_, object.type()));
  }

  Object offset_of(const Node& node) {
    const FoundMember found = need_member_path(types_, resolve(node.type, types_), node.text);
    if (found.bit_size != 0) throw_error(ErrorKind::usage, "'{}' is a bit field", node.text);
    return size(found.bit_offset / 8);
  }

  // A scalar keeps the value that it has now; structs and arrays stay places in memory.
  Object assign(const Node& node) {
    const Object object = child(node);
    const TypeKind kind = strip(object.type()).kind;
    const bool is_place = kind == TypeKind::array || kind == TypeKind::function ||
                          kind == TypeKind::void_type || is_aggregate(object.type());
    const Object value = is_place ? object : object.decayed();
    if (!unevaluated_) scope_.assign(node.text, value);
    return value;
  }

  const Types& types_;
  const VirtReader& memory_;
  Scope& scope_;
  bool unevaluated_ = false;  // inside sizeof: nothing is read
};

}  // namespace

Object evaluate(const Node& node, const Types& types, const VirtReader& memory, Scope& scope) {
  return Evaluator(types, memory, scope).value(node);
}

Object evaluate(std::string_view text, const Types& types, const VirtReader& memory, Scope& scope) {
  return evaluate(*parse_expression(text, types), types, memory, scope);
}

}  // namespace kvmscope
