// Members by name or path, with errors that help.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/types/types.hpp"

namespace kvmscope {

// The direct member of `aggregate` (completed through `types`), also in anonymous structs and
// unions. Throws Error{usage}: no struct, only declared, or "struct kvm_mmu has no member 'rot'
// (did you mean 'root'?)".
FoundMember need_member(const Types& types, const Type& aggregate, std::string_view name);

// One step of a path: into a member, or to an element of an array.
using MemberStep = std::variant<std::string_view, std::uint64_t>;
// "arch.mmu", "prev_roots[1].hpa". At least one step, whose names lie in `path`. Throws
// Error{usage} when it is malformed.
std::vector<MemberStep> parse_member_path(std::string_view path);

// Where such a path leads. Same errors as need_member.
FoundMember need_member_path(const Types& types, const Type& aggregate, std::string_view path);

// All member names of a struct or union, those of anonymous members included.
std::vector<std::string> member_names(const Type& aggregate);

}  // namespace kvmscope
