#include "core/expression/type_name.hpp"

#include <array>

#include "core/expression/token_stream.hpp"
#include "core/object/object.hpp"
#include "core/types/base_type_name.hpp"

namespace kvmscope {
namespace {

constexpr std::size_t max_steps = 16;  // pointers and array lengths of one type name

std::optional<TypeKind> tag_kind(const Token& token) {
  if (token.kind != TokenKind::identifier) return std::nullopt;
  if (token.text == "struct") return TypeKind::structure;
  if (token.text == "union") return TypeKind::union_type;
  if (token.text == "enum") return TypeKind::enumeration;
  return std::nullopt;
}

bool is_qualifier(const Token& token) {
  return token.kind == TokenKind::identifier &&
         (token.text == "const" || token.text == "volatile" || token.text == "restrict");
}

bool is_base_word(const Token& token) {
  return token.kind == TokenKind::identifier &&
         (token.text == "void" || is_base_type_name(token.text));
}

void skip_qualifiers(TokenStream& tokens) {
  while (is_qualifier(tokens.peek())) tokens.take();
}

void take_base(TokenStream& tokens, TypeName& type) {
  type.column = tokens.peek().column;
  type.kind = tag_kind(tokens.peek());
  if (type.kind) {
    tokens.take();
    const Token& name = tokens.expect_name("a tag");
    type.name = name.text;
    type.column = name.column;
    return;
  }
  if (!is_base_word(tokens.peek())) {
    type.name = tokens.expect_name("a type").text;
    return;
  }
  type.kind = TypeKind::integer;
  for (; is_base_word(tokens.peek()) || is_qualifier(tokens.peek()); tokens.take()) {
    if (is_qualifier(tokens.peek())) continue;
    if (!type.name.empty()) type.name += ' ';
    type.name += tokens.peek().text;
  }
}

// "[3][4]" is an array of 3 arrays of 4: the last length is the innermost.
void take_lengths(TokenStream& tokens, TypeName& type) {
  std::vector<TypeName::Step> lengths;
  while (tokens.accept("[")) {
    const Token& length = tokens.take();
    if (length.kind != TokenKind::number)
      throw_at(length.column, "expected an array length, not {}", described(length));
    tokens.expect("]");
    lengths.push_back({.is_pointer = false, .count = length.number});
  }
  type.steps.insert(type.steps.end(), lengths.rbegin(), lengths.rend());
}

const Type& base_type(const TypeName& name, const Types& types) {
  if (name.kind == TypeKind::integer) {
    const std::string spelling = base_type_name(name.name);
    if (spelling == "void") return void_type();
    if (const Type* found = types.find(TypeKind::integer, spelling).type) return *found;
    // C's own integers are known without debug info.
    for (const bool is_signed : {false, true})
      for (const std::uint64_t size : {8, 4, 2, 1})
        if (types.integer(size, is_signed).name == spelling) return types.integer(size, is_signed);
    throw_at(name.column, "no type '{}'", name.name);
  }
  if (name.kind)
    return at_column(name.column,
                     [&]() -> const Type& { return types.get(*name.kind, name.name); });
  for (const TypeKind kind :
       {TypeKind::typedef_type, TypeKind::structure, TypeKind::union_type, TypeKind::enumeration})
    if (const Type* found = types.find(kind, name.name).type) return *found;
  throw_at(name.column, "no type '{}' in the debug info{}", name.name, types.lack());
}

}  // namespace

bool starts_type(const Token& token) {
  return tag_kind(token).has_value() || is_qualifier(token) || is_base_word(token);
}

TypeName take_type_name(TokenStream& tokens) {
  TypeName type;
  skip_qualifiers(tokens);
  take_base(tokens, type);
  skip_qualifiers(tokens);
  while (tokens.accept("*")) {
    type.steps.push_back({});
    skip_qualifiers(tokens);
  }
  take_lengths(tokens, type);
  if (type.steps.size() > max_steps)
    throw_at(type.column, "a type with more than {} pointers and lengths", max_steps);
  return type;
}

TypeName parse_type_name(std::string_view text) {
  const std::vector<Token> list = tokenize(text);
  TokenStream tokens(list);
  TypeName type = take_type_name(tokens);
  tokens.expect_end();
  return type;
}

const Type& resolve(const TypeName& name, const Types& types) {
  const Type* type = &base_type(name, types);
  for (const TypeName::Step& step : name.steps) {
    if (step.is_pointer) {
      type = &types.pointer_to(*type);
      continue;
    }
    size_of(types, *type);  // an array needs a complete element
    type = &types.array_of(*type, step.count);
  }
  return *type;
}

const Type& find_type(std::string_view text, const Types& types) {
  return resolve(parse_type_name(text), types);
}

}  // namespace kvmscope
