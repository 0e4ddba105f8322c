// The kernel's own BTF: of vmlinux, and of kvm's modules on top of it.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/open_log.hpp"
#include "core/memory/reader.hpp"
#include "core/types/btf/btf_types.hpp"
#include "core/types/layout_source.hpp"

namespace kvmscope {

// All types of a kernel that was built with CONFIG_DEBUG_INFO_BTF; no functions, lines, places
// or types of variables.
class KernelBtf : public LayoutSource {
 public:
  // Of vmlinux, for in_memory(). kernel/bpf/sysfs_btf.c, kernel/bpf/btf.c.
  static constexpr std::array<std::string_view, 3> symbol_names = {"__start_BTF", "__stop_BTF",
                                                                   "btf_modules"};
  using AddressOf = std::function<std::optional<VirtAddr>(std::string_view symbol)>;

  // In memory, of a dump: `address_of` knows vmlinux's symbols. nullptr: the kernel was built
  // without. Throws Error{corrupt}, Error{fault}.
  static std::shared_ptr<KernelBtf> in_memory(const VirtReader& memory,
                                              const AddressOf& address_of);
  // Of the kernel that runs: the files in `folder`, /sys/kernel/btf; nullptr: there are none.
  // Throws Error{corrupt}, Error{unavailable}. `log` is not kept.
  static std::shared_ptr<KernelBtf> in_folder(const std::string& folder, OpenLog* log);

  const std::string& name() const override;
  // What it cannot do, for the user.
  std::string_view limits() const;
  // nullptr: the module has none of its own.
  const TypeSource* types(std::string_view module) const override;
  // It is the target's, of whatever build that is.
  std::string build_id(std::string_view /*module*/) const override { return ""; }

 private:
  explicit KernelBtf(std::unique_ptr<BtfTypes> vmlinux) : vmlinux_(std::move(vmlinux)) {}
  void add_module(const std::string& name, Bytes data);
  void add_modules(const VirtReader& memory, VirtAddr head);

  std::unique_ptr<BtfTypes> vmlinux_;
  std::map<std::string, std::unique_ptr<BtfTypes>, std::less<>> modules_;  // by "kvm_amd"
};

}  // namespace kvmscope
