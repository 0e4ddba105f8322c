// The debug files of one kernel: opened when something asks, types from kvm.ko first.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/types/source.hpp"
#include "core/types/types.hpp"

namespace kvmscope {

// Definitions for types that kvm.ko often only declares, when no debug file has them:
// struct xa_node (include/linux/xarray.h). `layout` and `info` mark them as built-in.
const TypeSource& builtin_types();

class DebugInfo {
 public:
  // What the target knows of a module's build; "" when it does not know.
  using BuildIdOf = std::function<std::string(std::string_view module)>;

  // `release` may be empty (offline). Keeps a reference to the finder.
  DebugInfo(const DebugFinder& finder, std::string release, BuildIdOf build_id_of);
  DebugInfo(const DebugInfo&) = delete;
  DebugInfo& operator=(const DebugInfo&) = delete;

  const Types& types() const { return types_; }
  // "kvm", "kvm-amd", "kvm-intel", "vmlinux": searched for and opened at the first call;
  // nullptr when it is not at hand.
  const DebugFile* file(std::string_view module) const;
  // The same; else it is fetched from a server, if one may be asked and its build is known.
  const DebugFile* fetch(std::string_view module) const;
  // The same; throws Error{unavailable} that says what was tried and what to install.
  const DebugFile& need(std::string_view module) const;
  // Searches for all of them, so that none is opened later.
  void open_all() const;
  // What was tried for a module that is not at hand, and what to install.
  std::string how_to_get(std::string_view module) const;

  // What was searched so far, by module, for `info`.
  const std::map<std::string, DebugSearch, std::less<>>& searches() const { return searches_; }

 private:
  const DebugFinder& finder_;
  std::string release_;
  BuildIdOf build_id_of_;
  mutable std::map<std::string, DebugSearch, std::less<>> searches_;
  // By module, what servers were asked for and why it came to nothing, if it did.
  mutable std::map<std::string, std::vector<std::string>, std::less<>> fetched_;
  mutable std::vector<std::unique_ptr<DebugFile>> replaced_;
  Types types_;
};

}  // namespace kvmscope
