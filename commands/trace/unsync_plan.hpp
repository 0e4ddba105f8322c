// Where mmu_unsync_walk() returns and for_each_sp() steps in one kernel, and what lies where then.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands/trace/probed_code.hpp"
#include "core/probe/probe.hpp"
#include "core/types/types.hpp"

namespace kvmscope::tracing {

// What one probe is, and which of its values mean what.
struct UnsyncProbe {
  enum class Kind { walked, step };
  Kind kind = Kind::walked;
  std::string function;                  // mmu_zap_unsync_children or mmu_sync_children
  std::optional<std::size_t> kvm = {};   // address of the struct kvm
  std::optional<std::size_t> vcpu = {};  // vcpu_id
  // walked: nr, then groups of sp, idx, level and gfn, one for each of pages.page[].
  // step: groups of sp, idx, level and gfn, one for each of parents.parent[].
  std::size_t first = 0;   // value of the first group, or of nr
  std::size_t groups = 0;  //
  // step: index in pages, and the page itself. Without both a step is told by its turn: they come
  // in the order of the batch's level-1 pages.
  std::optional<std::size_t> i = {};
  std::optional<std::size_t> sp = {};
};

struct UnsyncPlan {
  std::vector<probe::Probe> probes;
  std::vector<UnsyncProbe> meanings;  // of each probe
  std::vector<std::string> notes;     // what this kernel's debug info does not give
};

// Nothing but names is known before: places and locations come from the debug info. Throws
// Error{unavailable} that says what is missing.
UnsyncPlan unsync_plan(const ProbedCode& kvm, const Types& types);

}  // namespace kvmscope::tracing
