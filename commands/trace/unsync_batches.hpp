// Puts the hits of an UnsyncPlan together: walks with the steps that follow them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "commands/trace/unsync_plan.hpp"
#include "core/kvm/unsync.hpp"
#include "core/probe/probe.hpp"

namespace kvmscope::tracing {

struct TracedBatch {
  std::uint64_t time_ns = 0;  // when the walk returned
  std::int32_t tid = 0;
  std::string function;
  std::optional<std::uint64_t> kvm = {};   // address of the struct kvm
  std::optional<std::uint64_t> vcpu = {};  // vcpu_id
  kvm::UnsyncBatch batch = {};             // not empty: the root at least
};

class UnsyncBatches {
 public:
  // Both of one plan; must outlive this.
  explicit UnsyncBatches(const UnsyncPlan& plan) : plan_(plan) {}

  // A batch that is complete now: all steps came, or its thread goes on with something else.
  std::vector<TracedBatch> add(const probe::Hit& hit);
  // Batches that have not gone on for a second.
  std::vector<TracedBatch> older_than(std::uint64_t now_ns);
  // How many are not complete yet.
  std::size_t open() const { return open_.size(); }

 private:
  struct Open {
    TracedBatch traced;
    std::size_t steps_to_come = 0;
    std::uint64_t last_ns = 0;
  };
  std::optional<TracedBatch> walked(const UnsyncProbe& meaning, const probe::Hit& hit,
                                    const std::vector<std::uint64_t>& values);
  std::optional<TracedBatch> stepped(const UnsyncProbe& meaning, const probe::Hit& hit,
                                     const std::vector<std::uint64_t>& values);
  std::optional<TracedBatch> close(std::int32_t tid);

  const UnsyncPlan& plan_;
  std::map<std::int32_t, Open> open_;  // by thread
};

}  // namespace kvmscope::tracing
