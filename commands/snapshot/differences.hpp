// What became of VMs, vCPUs, roots, shadow pages and mapped ranges from one snapshot to another.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "commands/output/record.hpp"
#include "commands/snapshot/state.hpp"

namespace kvmscope::snapshots {

// The records of `diff`.
const std::vector<Column>& difference_columns();

struct DifferenceSink {
  std::function<void(Record)> add;
  // What cannot be compared, because a snapshot lacks it.
  std::function<void(const std::string&)> missing;
  // What is not compared because the kernel changed it.
  std::function<void(const std::string&)> note;
};

// In order of VMs, then from the VM as a whole down to ranges. `before` is the older one. Throws
// Error{usage} when they are of two hosts.
void find_differences(const State& before, const State& after, const DifferenceSink& sink);

}  // namespace kvmscope::snapshots
