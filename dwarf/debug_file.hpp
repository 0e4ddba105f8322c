// A debug file: vmlinux, kvm.ko, kvm.ko.debug.
#pragma once

#include <memory>
#include <string>

#include "core/base/open_log.hpp"
#include "core/types/source.hpp"

namespace kvmscope {

// Looks at the ELF header and the notes only; types and symbols are read when first asked for,
// and may throw Error{unavailable} then. Symbols of a module carry the module's name, taken from
// the file's. Throws Error{unavailable} with the path.
std::unique_ptr<DebugFile> open_debug_file(const std::string& path, OpenLog* log = nullptr);

// "kvm-amd" for "/x/kvm_amd.ko.debug" and "/y/kvm-amd.ko.xz", "vmlinux" for "vmlinux-6.1.0" and
// "vmlinux.debug"; empty for other names.
std::string module_of_file(const std::string& path);

}  // namespace kvmscope
