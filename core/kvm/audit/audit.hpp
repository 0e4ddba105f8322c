// An audit of one VM: which rules hold, and what breaks them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/kvm/audit/findings.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm::audit {

// A rule that was not checked, or not everywhere, and why.
struct Skipped {
  const Rule* rule = nullptr;
  std::string why;
  bool lost = false;  // memory was missing; else it does not hold for this VM
};

struct Result {
  Findings findings;
  std::vector<Skipped> skipped;
  std::string in_motion;    // why findings may be half of a change; empty: they are not
  std::uint64_t rules = 0;  // that were checked
  std::uint64_t pages = 0;
  std::uint64_t sptes = 0;  // that are not empty, where tables were read
};

// Checks these rules. `lost` is told of memory that is missing. Throws Error{fault},
// Error{corrupt} when not even the struct kvm can be read.
Result run(const Kvm& kvm, const Vm& vm, const std::vector<const Rule*>& rules,
           const std::function<void(const Error&)>& lost);

// Why each rule does not hold for a VM; empty: it does. In the order of rules().
std::vector<std::string> excuses(const Kvm& kvm, const Vm& vm,
                                 const std::function<void(const Error&)>& lost);

}  // namespace kvmscope::kvm::audit
