// Arguments that name one VM and a place in its memory.
#pragma once

#include <string_view>

#include "commands/command.hpp"
#include "core/base/address.hpp"

namespace kvmscope {

// Of a command that is about one VM.
Argument one_vm_argument();

// A guest physical address: a number, gpa:N or gfn:N. Throws Error{usage}.
GuestPhysAddr parse_gpa(std::string_view text);
// A guest frame: a number, gfn:N or gpa:N. Throws Error{usage}.
Gfn parse_gfn(std::string_view text);

}  // namespace kvmscope
