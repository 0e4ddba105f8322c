// One spelling for each C base type: compilers write the same type in several ways.
#pragma once

#include <string>
#include <string_view>

namespace kvmscope {

// The usual C spelling of a base type: "long unsigned int" (GCC), "unsigned long int" and
// "unsigned long" (clang) are "unsigned long"; "bool" is "_Bool". Other names come back as they
// are.
std::string base_type_name(std::string_view spelling);

// Whether every word of `spelling` is one of C's own type words ("unsigned", "long", "char"…).
bool is_base_type_name(std::string_view spelling);

}  // namespace kvmscope
