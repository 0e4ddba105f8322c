// Types from C declarations, laid out as a compiler would.
#pragma once

#include <string_view>

#include "tests/support/fake_types.hpp"

namespace kvmscope {

// Defines every struct and union of `text` in `types`. Members are base types (u64, bool, unsigned
// long…), pointers, structs that were defined before or inline, anonymous ones too, arrays ([3],
// [] is flexible) and bit fields. Throws std::invalid_argument that shows where the text is wrong.
//
//   declare(types, "union role { u32 word; struct { unsigned level:4; unsigned :2; }; };");
void declare(FakeTypes& types, std::string_view text);

}  // namespace kvmscope
