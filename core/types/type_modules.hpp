// The modules whose debug info has KVM's types.
#pragma once

#include <array>
#include <string_view>

namespace kvmscope {

// By the names of their files, in the order in which a type is looked for: KVM's own first, since
// vmlinux's debug info is by far the largest.
inline constexpr std::array<std::string_view, 4> type_modules = {"kvm", "kvm-amd", "kvm-intel",
                                                                 "vmlinux"};

}  // namespace kvmscope
