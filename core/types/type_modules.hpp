// The modules whose debug info has KVM's types.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace kvmscope {

// By the names of their files, in the order in which a type is looked for: KVM's own first, since
// vmlinux's debug info is by far the largest.
inline constexpr std::array<std::string_view, 4> type_modules = {"kvm", "kvm-amd", "kvm-intel",
                                                                 "vmlinux"};

// KVM's own, as the kernel calls them when they are loaded.
inline constexpr std::array<std::string_view, 3> kvm_modules = {"kvm", "kvm_amd", "kvm_intel"};

// "kvm-amd" and "kvm_amd" are one module: files use either, the kernel the latter.
inline std::string kernel_name(std::string_view module) {
  std::string name(module);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace kvmscope
