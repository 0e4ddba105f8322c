// Finds the debug files of a kernel: vmlinux, kvm.ko, kvm-amd.ko, kvm-intel.ko; and layout packs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/open_log.hpp"
#include "core/types/source.hpp"

namespace kvmscope {

// `symbol_paths`: files and folders as given with -s. A folder is never searched recursively.
// Without any, the system's own folders under `system_root` are looked at (usr/lib/debug,
// lib/modules, boot); with some, only for a file whose build-id is known, so that a guess never
// mixes with what the user chose. A layout pack counts when it is named, or is a *.pack in a folder
// that is, and holds `fields` (kvm::fields_version()). `log` must outlive the finder. Throws
// Error{unavailable} for a path that does not exist.
std::unique_ptr<DebugFinder> make_debug_finder(std::vector<std::string> symbol_paths,
                                               std::string system_root = "/",
                                               OpenLog* log = nullptr, std::string fields = "");

}  // namespace kvmscope
