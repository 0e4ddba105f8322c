#include "core/types/type.hpp"

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// Types come from untrusted files: a chain of typedefs, pointers or anonymous members longer
// than this is a loop.
constexpr int max_depth = 64;

std::string_view keyword(TypeKind kind) {
  switch (kind) {
    case TypeKind::structure: return "struct";
    case TypeKind::union_type: return "union";
    case TypeKind::enumeration: return "enum";
    default: return "";
  }
}

// The name of a type that needs no declarator: everything but pointers, arrays and functions.
std::string plain_name(const Type& type) {
  const std::string_view word = keyword(type.kind);
  if (type.kind == TypeKind::void_type && type.name.empty()) return "void";
  if (word.empty()) return type.name;
  return fmt::format("{} {}", word, type.name.empty() ? "{…}" : std::string_view(type.name));
}

const Type& void_type() {
  static const Type type;
  return type;
}

const Type& target_of(const Type& type) {
  return type.target ? type.target.get() : void_type();
}

// C declarators are read from the name outwards: pointers in front of it, lengths and
// parameters behind, parentheses where a pointer is nearer than what stands behind.
std::string declare(const Type& type, std::string declarator) {
  const Type* at = &type;
  for (int depth = 0; depth < max_depth; ++depth) {
    const bool parenthesise = !declarator.empty() && declarator.front() == '*';
    switch (at->kind) {
      case TypeKind::pointer: declarator = fmt::format("*{}", declarator); break;
      case TypeKind::array:
        if (parenthesise) declarator = fmt::format("({})", declarator);
        declarator += at->count ? fmt::format("[{}]", *at->count) : "[]";
        break;
      case TypeKind::function:
        if (parenthesise) declarator = fmt::format("({})", declarator);
        declarator += "(…)";
        break;
      default:
        return declarator.empty() ? plain_name(*at)
                                  : fmt::format("{} {}", plain_name(*at), declarator);
    }
    at = &target_of(*at);
  }
  throw_error(ErrorKind::corrupt, "a type that points to itself: {}…", declarator.substr(0, 40));
}

std::optional<FoundMember> find_at_depth(const Type& aggregate, std::string_view name,
                                         std::uint64_t bit_offset, int depth) {
  if (depth > max_depth)
    throw_error(ErrorKind::corrupt, "{} contains itself", type_name(aggregate));
  for (const Member& member : aggregate.members) {
    if (!member.name.empty() && member.name == name)
      return FoundMember{&member.type.get(), bit_offset + member.bit_offset, member.bit_size};
  }
  for (const Member& member : aggregate.members) {
    if (!member.name.empty() || member.bit_size != 0 || !is_aggregate(member.type.get())) continue;
    const auto found =
        find_at_depth(strip(member.type.get()), name, bit_offset + member.bit_offset, depth + 1);
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace

const Type& strip(const Type& type) {
  const Type* at = &type;
  for (int depth = 0; depth < max_depth; ++depth) {
    if (at->kind != TypeKind::typedef_type) return *at;
    at = &target_of(*at);
  }
  throw_error(ErrorKind::corrupt, "typedef {} stands for itself", type.name);
}

bool is_aggregate(const Type& type) {
  const TypeKind kind = strip(type).kind;
  return kind == TypeKind::structure || kind == TypeKind::union_type;
}

bool is_integral(const Type& type) {
  const TypeKind kind = strip(type).kind;
  return kind == TypeKind::integer || kind == TypeKind::boolean || kind == TypeKind::enumeration;
}

std::optional<FoundMember> find_member(const Type& aggregate, std::string_view name) {
  return find_at_depth(strip(aggregate), name, 0, 0);
}

std::string type_name(const Type& type) {
  return declare(type, "");
}

std::string declaration(const Type& type, std::string_view name) {
  return declare(type, std::string(name));
}

}  // namespace kvmscope
