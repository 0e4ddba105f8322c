// A probe as the line that kprobe_events takes, and the kernel's refusal of one in our words.
#pragma once

#include <string>
#include <string_view>

#include "core/probe/probe.hpp"

namespace kvmscope::probe {

// "p:GROUP/load kvm:kvm_mmu_load id=+36(%di):u32", Documentation/trace/kprobetrace.rst.
std::string definition(const Probe& probe, std::string_view group);

// Why the kernel refused `definition`, with errno `failed`: from the last entry of tracefs's
// error_log if that is about it, with the place that it complains about.
std::string refusal(std::string_view definition, int failed, std::string_view error_log);

}  // namespace kvmscope::probe
