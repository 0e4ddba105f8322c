// The name of a type as C writes it: "struct kvm_vcpu *", "unsigned long", "u64 [512]".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types/types.hpp"

namespace kvmscope {

struct TypeName {
  // structure, union_type or enumeration after that keyword; integer for C's own type words;
  // none: a typedef, or a tag without its keyword.
  std::optional<TypeKind> kind;
  std::string name;        // "kvm_vcpu", "unsigned long", "void"
  std::size_t column = 0;  // of the name

  // What comes behind it, from the inside out: a pointer, or an array of so many.
  struct Step {
    bool is_pointer = true;
    std::uint64_t count = 0;
  };
  std::vector<Step> steps = {};
};

// Throws Error{usage} that has a column: not a type, or no debug info knows it.
TypeName parse_type_name(std::string_view text);
const Type& resolve(const TypeName& name, const Types& types);
// Both at once.
const Type& find_type(std::string_view text, const Types& types);

class TokenStream;
struct Token;
// Whether a type name surely starts with this token (struct, unsigned, const…).
bool starts_type(const Token& token);
// A type name from here on: words, pointers, array lengths.
TypeName take_type_name(TokenStream& tokens);

}  // namespace kvmscope
