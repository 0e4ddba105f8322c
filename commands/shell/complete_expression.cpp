#include "commands/shell/complete_expression.hpp"

#include <array>
#include <cctype>

#include "commands/shell/candidates.hpp"
#include "core/expression/evaluate.hpp"
#include "core/kernel/debug_info.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope {
namespace {

using Names = std::vector<std::string>;

bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::size_t start_of_name(std::string_view text) {
  std::size_t at = text.size();
  while (at > 0 && is_name(text[at - 1])) --at;
  return at;
}

std::string_view trim_end(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Where the bracket opens that closes at the end of `text`; its size when none does.
std::size_t opening_of(std::string_view text) {
  std::size_t depth = 0;
  for (std::size_t at = text.size(); at-- > 0;) {
    if (text[at] == ')' || text[at] == ']') ++depth;
    if ((text[at] == '(' || text[at] == '[') && --depth == 0) return at;
  }
  return text.size();
}

// `text` without the member operator that it ends with; none when it ends with none.
std::optional<std::string_view> before_operator(std::string_view text) {
  if (text.ends_with("->")) return trim_end(text.substr(0, text.size() - 2));
  if (text.ends_with('.')) return trim_end(text.substr(0, text.size() - 1));
  return std::nullopt;
}

// Where the operand that ends `text` starts: names, calls, elements, members of members.
std::size_t start_of_operand(std::string_view text) {
  std::string_view rest = text;
  for (;;) {
    while (rest.ends_with(']')) {
      const std::size_t open = opening_of(rest);
      if (open == rest.size()) return open;
      rest = trim_end(rest.substr(0, open));
    }
    if (rest.ends_with(')')) rest = rest.substr(0, opening_of(rest));
    rest = rest.substr(0, start_of_name(rest));
    if (rest.ends_with('$')) rest.remove_suffix(1);
    const std::optional<std::string_view> left = before_operator(trim_end(rest));
    if (!left || left->empty()) return rest.size();
    rest = *left;
  }
}

// The names of an expression that is evaluated for its type only.
class TypeScope : public Scope {
 public:
  explicit TypeScope(Session& session) : session_(session) {}
  std::optional<Object> symbol(std::string_view name) const override {
    if (!session_.has_target()) return std::nullopt;
    const Kernel& kernel = session_.kernel();
    const Type* type = kernel.variable_type(name);
    const std::optional<Symbol> symbol = kernel.find_symbol(name);
    if (type == nullptr || !symbol) return std::nullopt;
    return Object::reference(kernel.types(), kernel.memory(), *type, {symbol->address});
  }
  std::optional<Object> variable(std::string_view name) const override {
    const auto found = session_.variables().find(std::string(name));
    return found == session_.variables().end() ? std::nullopt : std::optional(found->second);
  }
  void assign(std::string_view, const Object&) override {}

 private:
  Session& session_;
};

void add_members(const Type& aggregate, Names& names) {
  for (const Member& member : aggregate.members) {
    if (!member.name.empty())
      names.push_back(member.name);
    else if (member.type)
      add_members(strip(member.type.get()), names);
  }
}

Names members(Session& session, std::string_view operand) {
  const Types& types = session.types();
  TypeScope scope(session);
  const Object object = evaluate(operand, types, session.memory(), scope);
  const bool points = object.is_pointer() || object.is_array();
  const Type& type = points ? target_of(object.complete_type()) : object.complete_type();
  Names names;
  add_members(types.complete(strip(type)), names);
  return names;
}

// "struct kvm_v": the keyword in front of the name chooses the kind.
std::optional<TypeKind> tag_kind(std::string_view before) {
  constexpr std::array<std::pair<std::string_view, TypeKind>, 3> tags = {
      {{"struct", TypeKind::structure},
       {"union", TypeKind::union_type},
       {"enum", TypeKind::enumeration}}};
  const std::string_view trimmed = trim_end(before);
  if (trimmed.size() == before.size()) return std::nullopt;
  const std::string_view word = trimmed.substr(start_of_name(trimmed));
  for (const auto& [tag, kind] : tags)
    if (word == tag) return kind;
  return std::nullopt;
}

Names variables(Session& session) {
  Names names;
  for (const auto& [name, value] : session.variables()) names.push_back(name);
  return names;
}

}  // namespace

std::optional<std::string_view> operand_of_member(std::string_view text) {
  const std::string_view before = trim_end(text.substr(0, start_of_name(text)));
  const std::optional<std::string_view> left = before_operator(before);
  if (!left) return std::nullopt;
  const std::string_view operand = left->substr(start_of_operand(*left));
  // "1.5" is no member, and a lone dot has no operand.
  if (operand.empty() || std::isdigit(static_cast<unsigned char>(operand.front())) != 0)
    return std::nullopt;
  return operand;
}

Completion complete_expression(Session& session, std::string_view text, bool is_type) {
  const std::size_t start = start_of_name(text);
  const std::string_view before = text.substr(0, start);
  const std::string_view name = text.substr(start);
  Completion completion{.start = start, .candidates = {}, .ends_word = false};
  if (before.ends_with('$')) {
    completion.candidates = variables(session);
  } else if (const std::optional<std::string_view> operand = operand_of_member(text)) {
    completion.candidates = members(session, *operand);
  } else if (const std::optional<TypeKind> kind = tag_kind(before)) {
    completion.candidates = session.types().names(*kind, name, most_candidates);
  } else if (is_type) {
    completion.candidates = session.types().names(TypeKind::typedef_type, name, most_candidates);
    for (const char* keyword : {"struct", "union", "enum"})
      completion.candidates.emplace_back(keyword);
  } else if (!name.empty()) {
    completion.candidates = candidates(session, ArgumentKind::symbol, name);
  }
  return completion;
}

}  // namespace kvmscope
