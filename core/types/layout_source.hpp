// Where layouts come from that are no debug file: a layout pack, the kernel's own BTF.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types/source.hpp"

namespace kvmscope {

// The structures that kvmscope's own commands read, for one build of a kernel. Where there is one,
// no debug file has to be at hand for them; an expression of the user's may need more.
class LayoutSource {
 public:
  virtual ~LayoutSource() = default;
  // For messages: "the layout pack /x/6.1.pack".
  virtual const std::string& name() const = 0;
  // What came from `module` ("kvm", "vmlinux"); nullptr: nothing did.
  virtual const TypeSource* types(std::string_view module) const = 0;
  // Of the build of `module` that it is for, hex; empty: it does not depend on that module, or
  // nobody knows.
  virtual std::string build_id(std::string_view module) const = 0;
  // What it knows of a symbol of vmlinux, with its address at link time; address 0: this kernel
  // has none of that name. None: it does not know.
  virtual std::optional<Symbol> symbol(std::string_view /*name*/) const { return std::nullopt; }
  // Nobody named it (a cache): where it does not fit after all, debug files are looked for.
  virtual bool is_implied() const { return false; }
};

}  // namespace kvmscope
