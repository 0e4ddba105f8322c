// The records of `audit` and `audit --list`, and how they look.
#pragma once

#include <vector>

#include "commands/output/record.hpp"
#include "commands/output/view.hpp"
#include "core/kvm/ancestry.hpp"
#include "core/kvm/audit/audit.hpp"

namespace kvmscope {

// One finding of one VM.
struct FindingItem {
  const kvm::Kvm& kvm;
  const kvm::Vm& vm;
  const kvm::audit::Finding& finding;
  kvm::RootPaths& paths;
  std::uint64_t group = 0;
  bool unstable = false;
};
const std::vector<FieldOf<FindingItem>>& finding_fields();
View finding_view();

// One rule, and why it does not hold for a VM.
struct RuleItem {
  const kvm::audit::Rule& rule;
  std::optional<unsigned> vm;  // none: no VM was named
  std::string excuse;
};
const std::vector<FieldOf<RuleItem>>& rule_fields();
View rule_view();

}  // namespace kvmscope
