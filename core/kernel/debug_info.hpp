// The debug files of one kernel: opened when something asks, types from kvm.ko first; and what
// stands in for them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/kernel_btf.hpp"
#include "core/types/layout_source.hpp"
#include "core/types/types.hpp"

namespace kvmscope {

// Definitions for types that kvm.ko often only declares, when no debug file has them:
// struct xa_node (include/linux/xarray.h). `layout` and `info` mark them as built-in.
const TypeSource& builtin_types();

class DebugInfo {
 public:
  // `release` may be empty (offline). Keeps a reference to the finder.
  DebugInfo(const DebugFinder& finder, std::string release, BuildIdOf build_id_of);
  DebugInfo(const DebugInfo&) = delete;
  DebugInfo& operator=(const DebugInfo&) = delete;

  // How the kernel's own BTF is opened, where no debug file of kvm's is at hand; it may give
  // nullptr or throw.
  void set_btf(std::function<std::shared_ptr<KernelBtf>()> open) { open_btf_ = std::move(open); }

  // Of the debug files, or of btf().
  const Types& types() const { return types_; }
  // What kvmscope's own fields are found in: layout(), or the debug files where there is none.
  const Types& layout_types() const { return layout_types_; }
  // What stands in for debug files, looked for at the first call: what was named, else btf().
  // nullptr: nothing does.
  const LayoutSource* layout() const;
  // Opened at the first call; nullptr: debug files have kvm's types, or there is none.
  const KernelBtf* btf() const;
  // It does not fit. Returns whether debug files are looked for instead: nobody had named it.
  bool give_up_layout() const;
  // Throws what need() throws unless a layout or the debug file has types of `module`.
  void need_layout(std::string_view module) const;
  // Of the build that the fields of `module` are of, hex; empty: not known.
  std::string layout_build_id(std::string_view module) const;
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
  const std::string& release() const { return release_; }

 private:
  const TypeSource* file_types(std::string_view module) const;
  std::string lack_of_files() const;
  bool may_use_btf() const;
  void put_btf_in_place() const;

  const DebugFinder& finder_;
  std::string release_;
  BuildIdOf build_id_of_;
  mutable std::map<std::string, DebugSearch, std::less<>> searches_;
  // By module, what servers were asked for and why it came to nothing, if it did.
  mutable std::map<std::string, std::vector<std::string>, std::less<>> fetched_;
  mutable std::vector<std::unique_ptr<DebugFile>> replaced_;
  mutable std::optional<LayoutSearch> layout_search_;
  mutable std::shared_ptr<LayoutSource> given_up_;  // somebody may have its types
  std::function<std::shared_ptr<KernelBtf>()> open_btf_;
  mutable bool looked_for_btf_ = false;
  mutable std::shared_ptr<KernelBtf> btf_;
  mutable std::string no_btf_;  // why there is none
  Types types_;
  Types layout_types_;
};

}  // namespace kvmscope
