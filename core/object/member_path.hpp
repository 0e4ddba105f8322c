// Members by name or path, with errors that help.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/types/types.hpp"

namespace kvmscope {

// The direct member of `aggregate` (completed through `types`), also in anonymous structs and
// unions. Throws Error{usage}: no struct, only declared, or "struct kvm_mmu has no member 'rot'
// (did you mean 'root'?)".
FoundMember need_member(const Types& types, const Type& aggregate, std::string_view name);

// Where "arch.mmu" or "prev_roots[1].hpa" leads. Same errors.
FoundMember need_member_path(const Types& types, const Type& aggregate, std::string_view path);

// All member names of a struct or union, those of anonymous members included.
std::vector<std::string> member_names(const Type& aggregate);

// The candidate that was probably meant by `word`; none when all are too different.
std::optional<std::string> closest(std::string_view word, std::span<const std::string> candidates);
// " (did you mean 'root'?)", or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace kvmscope
