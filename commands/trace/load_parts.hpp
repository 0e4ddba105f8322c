// What `trace load` is made of: what it probes, how it counts, how it looks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/trace/load_counts.hpp"
#include "commands/trace/runner.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope::tracing {

struct LoadSource {
  std::string_view event;
  std::vector<std::string_view> functions;  // newest name first; each takes the vCPU first
  std::optional<Cause> cause = {};          // why the current root is dropped there
  bool required = false;
};

// The event of a CR3 switch.
inline constexpr std::string_view switch_event = "switch";

// The values of each hit, in this order.
enum LoadValue : std::size_t { load_vcpu, load_kvm, load_id, load_root };

struct LoadPlan {
  Plan plan;
  std::vector<LoadSource> sources;  // of each probe
};

// Throws Error{unavailable} on a kernel without the functions that it cannot do without.
LoadPlan load_plan(const kvm::Kvm& kvm);
// For a plan that is to record one VM only.
std::string load_filter(const kvm::Vm& vm);

// A record for each second of each vCPU (not with `summary`), then totals and histograms. Keeps
// both references.
std::unique_ptr<Listener> load_listener(const kvm::Kvm& kvm, std::vector<LoadSource> sources,
                                        bool summary, RowSink& rows);

std::vector<Column> load_columns();
View load_view();

}  // namespace kvmscope::tracing
