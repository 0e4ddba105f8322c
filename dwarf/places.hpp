// Where the debug file of a kernel or module may lie.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvmscope::dwarf {

// What is looked for.
struct Wanted {
  std::string module;    // "vmlinux", "kvm", "kvm-amd": with dashes
  std::string release;   // uname -r; empty: not known
  std::string build_id;  // hex; empty: not known
};

struct Places {
  std::vector<std::string> files;    // that exist, the most likely to have types first
  std::vector<std::string> looked;   // every path and pattern, for an error message
  std::vector<std::string> unclear;  // why a folder was not looked into
};

enum class FolderKind {
  chosen,  // given by the user: files directly in it count too
  system,  // "/usr/lib/debug" or "/": only the places where distributions put them
};

// Adds what `folder` has: by build-id, as modules and kernels of the release, directly in it.
void look_into(const std::string& folder, FolderKind kind, const Wanted& wanted, Places& places);

// Adds the layout packs directly in a folder (*.pack), by name; nothing of what is no folder.
void add_packs(const std::string& folder, std::vector<std::string>& packs);

}  // namespace kvmscope::dwarf
