// Every field that kvmscope's own commands read: for `layout` and layout packs.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/modules.hpp"
#include "core/kernel/tasks.hpp"
#include "core/kernel/vmas.hpp"
#include "core/kvm/layout.hpp"

namespace kvmscope::kvm {

// The enumerations whose values depend on the kernel.
inline constexpr std::array<std::string_view, 1> read_enumerations = {"kvm_reg"};

// Resolves them all.
class AllFields {
 public:
  // Keeps a reference.
  explicit AllFields(const Types& types);
  // KVM's first.
  std::vector<const FieldGroup*> groups() const;
  // Whether all are there that every kernel should have.
  bool complete() const;

 private:
  Layout kvm_;
  ModuleFields module_;
  ModKallsymsFields kallsyms_;
  TaskFields task_;
  MmFields mm_;
  PidFields pid_;
  CssSetFields css_set_;
  CgroupFields cgroup_;
  KernfsNodeFields kernfs_;
  MmMappingsFields mappings_;
  VmaFields vma_;
  MapleNodeFields maple_;
};

// Another one for a kvmscope that reads other fields, or knows other spellings of one.
std::string fields_version();

}  // namespace kvmscope::kvm
