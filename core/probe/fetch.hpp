// C member chains as fetch arguments of kernel probes: "sp->role.level" → "+36(%si):b4@0/32".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/probe/probe.hpp"
#include "core/types/code.hpp"
#include "core/types/types.hpp"

namespace kvmscope::probe {

// What the names in an expression stand for at one place.
struct FetchScope {
  const Types& types;
  const CodeSource& code;                    // tells where else a variable is to be had
  CodePlace place;                           //
  std::vector<CodeVariable> variables = {};  // in scope there, innermost first
  std::optional<TypeRef> result = {};        // of $retval; none: the probe is at no return
};

// The scope of a place in a function.
FetchScope scope_at(const Types& types, const CodeSource& code, const CodePlace& place);

// Without a `field`, see name_fields(). Throws Error{usage} that has a column: not a chain of
// members, a variable that is not available there (with the places where it is), a struct, a
// string, a bit field that no container holds.
FetchArg fetch_argument(std::string_view text, const FetchScope& scope);

// Why a variable in the expression is not to be had at the place of the scope; empty: all are. What
// one copy of a function lacks another may have. Throws Error{usage} that has a column: no C.
std::string why_unavailable(std::string_view text, const FetchScope& scope);

// Names all fields after their text, each another, as the kernel allows them.
void name_fields(std::vector<FetchArg>& args);

}  // namespace kvmscope::probe
