// Registers of x86-64: DWARF's numbers and the names that kernel probes use.
#pragma once

#include <array>
#include <string_view>

namespace kvmscope::probe {

// System V ABI, AMD64 supplement, figure 3.36; regs_query_register_offset() in
// arch/x86/kernel/ptrace.c.
inline constexpr std::array<std::string_view, 16> register_names = {
    "%ax", "%dx", "%cx",  "%bx",  "%si",  "%di",  "%bp",  "%sp",
    "%r8", "%r9", "%r10", "%r11", "%r12", "%r13", "%r14", "%r15"};

}  // namespace kvmscope::probe
