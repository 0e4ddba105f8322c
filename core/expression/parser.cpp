// Parses an expression by recursive descent.

#include <algorithm>
#include <array>
#include <limits>

#include "core/expression/precedence.hpp"
#include "core/expression/token_stream.hpp"
#include "core/expression/tree.hpp"

namespace kvmscope {
namespace {

constexpr unsigned max_nesting = 200;  // of parentheses and operators before an operand
constexpr unsigned max_depth = 500;    // of the tree: a chain of operators counts too

class Parser {
 public:
  Parser(TokenStream& tokens, const Types& types) : tokens_(tokens), types_(types) {}

  Expression assignment() {
    const Nesting nesting(*this);
    const Token& name = tokens_.peek();
    if (name.kind == TokenKind::variable && tokens_.peek(1).is("=")) {
      tokens_.take();
      tokens_.take();
      Node node = node_at(NodeKind::assignment, name);
      node.text = name.text;
      return finish(std::move(node), assignment());
    }
    return conditional();
  }

 private:
  // Bounds the recursion of this parser by the nesting of its input.
  class Nesting {
   public:
    explicit Nesting(Parser& parser) : parser_(parser) {
      if (++parser_.nesting_ > max_nesting)
        throw_at(parser_.tokens_.peek().column, "an expression nested more than {} deep",
                 max_nesting);
    }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting() { --parser_.nesting_; }

   private:
    Parser& parser_;
  };

  static Node node_at(NodeKind kind, const Token& token) {
    Node node;
    node.kind = kind;
    node.column = token.column;
    return node;
  }

  template <typename... Children>
  static Expression finish(Node node, Children... children) {
    (node.children.push_back(std::move(children)), ...);
    for (const auto& child : node.children) node.depth = std::max(node.depth, child->depth + 1);
    if (node.depth > max_depth)
      throw_at(node.column, "an expression of more than {} operators in a row", max_depth);
    return std::make_unique<const Node>(std::move(node));
  }

  Expression conditional() {
    Expression condition = binary(1);
    const Token& mark = tokens_.peek();
    if (!tokens_.accept("?")) {
      check_assignment(mark);
      return condition;
    }
    Expression yes = assignment();
    tokens_.expect(":");
    const Nesting nesting(*this);
    Expression no = conditional();
    return finish(node_at(NodeKind::conditional, mark), std::move(condition), std::move(yes),
                  std::move(no));
  }

  static void check_assignment(const Token& token) {
    if (token.kind == TokenKind::punctuation && token.text.ends_with('=') &&
        binary_rule(token) == nullptr)
      throw_at(token.column,
               "only a $variable can be assigned to, with =: kernel memory is only "
               "read");
    if (token.is("++") || token.is("--"))
      throw_at(token.column, "{} would change kernel memory, which is only read", token.text);
  }

  Expression binary(int precedence) {
    Expression left = unary();
    for (;;) {
      const Token& token = tokens_.peek();
      const BinaryRule* rule = binary_rule(token);
      if (rule == nullptr || rule->precedence < precedence) return left;
      tokens_.take();
      Node node = node_at(rule->kind, token);
      node.binary = rule->op;
      Expression right = binary(rule->precedence + 1);
      left = finish(std::move(node), std::move(left), std::move(right));
    }
  }

  Expression unary() {
    const Nesting nesting(*this);
    const Token& token = tokens_.peek();
    check_assignment(token);
    if (token.kind == TokenKind::identifier && token.text == "sizeof") return size_of();
    if (token.is("(") && is_cast()) return cast();
    if (token.is("*")) return prefix(NodeKind::dereference);
    if (token.is("&")) return prefix(NodeKind::address_of);
    if (token.is("&&")) throw_at(token.column, "expected an operand, not '&&'");
    if (token.is("+")) return prefix(NodeKind::unary, UnaryOperator::plus);
    if (token.is("-")) return prefix(NodeKind::unary, UnaryOperator::minus);
    if (token.is("~")) return prefix(NodeKind::unary, UnaryOperator::complement);
    if (token.is("!")) return prefix(NodeKind::unary, UnaryOperator::logical_not);
    return postfix();
  }

  Expression prefix(NodeKind kind, UnaryOperator op = UnaryOperator::plus) {
    Node node = node_at(kind, tokens_.take());
    node.unary = op;
    return finish(std::move(node), unary());
  }

  // Whether "(" is followed by a type. A name alone is one when an operand follows that no
  // expression could have there; in front of "(", "*", "&", "+" and "-" the debug info decides.
  bool is_cast() const {
    if (starts_type(tokens_.peek(1))) return true;
    if (tokens_.peek(1).kind != TokenKind::identifier) return false;
    std::size_t ahead = 2;
    while (tokens_.peek(ahead).is("*")) ++ahead;
    if (!tokens_.peek(ahead).is(")")) return false;
    if (ahead > 2) return true;
    const Token& next = tokens_.peek(ahead + 1);
    if (next.is("~") || next.is("!")) return true;
    if (next.kind != TokenKind::punctuation) return next.kind != TokenKind::end;
    constexpr std::array<std::string_view, 5> either = {"(", "*", "&", "+", "-"};
    return std::find(either.begin(), either.end(), next.text) != either.end() &&
           is_typedef(tokens_.peek(1));
  }

  bool is_typedef(const Token& name) const {
    return types_.find(TypeKind::typedef_type, name.text).type != nullptr;
  }

  Expression cast() {
    Node node = node_at(NodeKind::cast, tokens_.take());
    node.type = take_type_name(tokens_);
    tokens_.expect(")");
    return finish(std::move(node), unary());
  }

  Expression size_of() {
    const Token& word = tokens_.take();
    const Token& name = tokens_.peek(1);
    const bool is_type =
        tokens_.peek().is("(") &&
        (starts_type(name) ||
         (name.kind == TokenKind::identifier &&
          (tokens_.peek(2).is(")") || tokens_.peek(2).is("*")) && is_typedef(name)));
    if (!is_type) return finish(node_at(NodeKind::size_of_value, word), unary());
    tokens_.take();
    Node node = node_at(NodeKind::size_of_type, word);
    node.type = take_type_name(tokens_);
    tokens_.expect(")");
    return finish(std::move(node));
  }

  Expression postfix() {
    Expression left = primary();
    for (;;) {
      const Token& token = tokens_.peek();
      if (tokens_.accept("[")) {
        Expression index = assignment();
        tokens_.expect("]");
        left = finish(node_at(NodeKind::index, token), std::move(left), std::move(index));
      } else if (token.is(".") || token.is("->")) {
        tokens_.take();
        const Token& name = tokens_.expect_name("a member");
        Node node = node_at(token.is(".") ? NodeKind::member : NodeKind::arrow, name);
        node.text = name.text;
        left = finish(std::move(node), std::move(left));
      } else {
        if (!token.is("(")) return left;
        if (left->kind != NodeKind::symbol)
          throw_at(token.column, "functions of the kernel cannot be called");
        left = call(*left);
      }
    }
  }

  // A name was read, "(" comes next.
  Expression call(const Node& name) {
    Node node = node_at(NodeKind::call, tokens_.take());
    node.text = name.text;
    while (!tokens_.peek().is(")")) {
      if (!node.children.empty()) tokens_.expect(",");
      node.children.push_back(assignment());
    }
    tokens_.expect(")");
    return finish(std::move(node));
  }

  Expression primary() {
    const Token& token = tokens_.take();
    if (token.kind == TokenKind::number) return number(token);
    if (token.is("(")) {
      Expression inside = assignment();
      tokens_.expect(")");
      return inside;
    }
    Node node = node_at(NodeKind::symbol, token);
    node.text = token.text;
    if (token.kind == TokenKind::variable) {
      node.kind = NodeKind::variable;
      return finish(std::move(node));
    }
    if (token.kind != TokenKind::identifier)
      throw_at(token.column, "expected an operand, not {}", described(token));
    if (starts_type(token))
      throw_at(token.column, "a type is no value: cast something to it, as in (struct kvm *)…");
    if (tokens_.peek().is("(") && token.text == "container_of") return container_of(token);
    if (tokens_.peek().is("(") && (token.text == "offsetof" || token.text == "__builtin_offsetof"))
      return offset_of(token);
    return finish(std::move(node));
  }

  // The type that C gives to a literal: the first that holds it.
  static Expression number(const Token& token) {
    constexpr std::uint64_t max_int = std::numeric_limits<std::int32_t>::max();
    constexpr std::uint64_t max_unsigned = std::numeric_limits<std::uint32_t>::max();
    constexpr std::uint64_t max_long = std::numeric_limits<std::int64_t>::max();
    Node node = node_at(NodeKind::number, token);
    node.number = token.number;
    const bool try_unsigned = token.is_unsigned || !token.is_decimal;
    node.is_long = token.is_long || token.number > (try_unsigned ? max_unsigned : max_int);
    node.is_unsigned =
        token.is_unsigned || token.number > max_long || (!node.is_long && token.number > max_int);
    return finish(std::move(node));
  }

  Expression container_of(const Token& word) {
    Node node = node_at(NodeKind::container_of, word);
    tokens_.expect("(");
    Expression pointer = assignment();
    tokens_.expect(",");
    node.type = take_type_name(tokens_);
    tokens_.expect(",");
    node.text = member_path();
    tokens_.expect(")");
    return finish(std::move(node), std::move(pointer));
  }

  Expression offset_of(const Token& word) {
    Node node = node_at(NodeKind::offset_of, word);
    tokens_.expect("(");
    node.type = take_type_name(tokens_);
    tokens_.expect(",");
    node.text = member_path();
    tokens_.expect(")");
    return finish(std::move(node));
  }

  // arch.mmu, prev_roots[1].hpa
  std::string member_path() {
    std::string path(tokens_.expect_name("a member").text);
    for (;;) {
      if (tokens_.accept(".")) {
        path += fmt::format(".{}", tokens_.expect_name("a member").text);
      } else if (tokens_.accept("[")) {
        const Token& index = tokens_.take();
        if (index.kind != TokenKind::number)
          throw_at(index.column, "expected a number, not {}", described(index));
        path += fmt::format("[{}]", index.number);
        tokens_.expect("]");
      } else {
        return path;
      }
    }
  }

  TokenStream& tokens_;
  const Types& types_;
  unsigned nesting_ = 0;
};

}  // namespace

Expression parse_expression(std::string_view text, const Types& types) {
  const std::vector<Token> list = tokenize(text);
  TokenStream tokens(list);
  Expression expression = Parser(tokens, types).assignment();
  tokens.expect_end();
  return expression;
}

}  // namespace kvmscope
