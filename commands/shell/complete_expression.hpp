// Completion inside C expressions and type names.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/shell/complete.hpp"

namespace kvmscope {

// `text`: an expression or a type name up to the cursor; `start` of the result counts from its
// start.
Completion complete_expression(Session& session, std::string_view text, bool is_type);

// The operand whose member is asked for: "vm->arch" of "1 + vm->arch.ro"; none when the last name
// is no member.
std::optional<std::string_view> operand_of_member(std::string_view text);

}  // namespace kvmscope
