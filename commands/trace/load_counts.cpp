#include "commands/trace/load_counts.hpp"

namespace kvmscope::tracing {

LoadCounts& LoadCounts::operator+=(const LoadCounts& other) {
  switches += other.switches;
  hits += other.hits;
  misses += other.misses;
  loads += other.loads;
  for (std::size_t i = 0; i < cause_count; ++i) causes[i] += other.causes[i];
  return *this;
}

// kvm_mmu_new_pgd(): a miss leaves the vCPU without a root until kvm_mmu_load() makes one. So the
// first thing seen after a miss is a load, or another function that finds no root.
bool VcpuLoads::settle(bool hit) {
  if (!pending_) return false;
  pending_ = false;
  if (rested_) {
    rested_ = false;
    if (hit) return false;
    --total_.hits;
    ++total_.misses;
    ++recent_.misses;
    return false;
  }
  for (LoadCounts* counts : {&total_, &recent_}) {
    ++counts->switches;
    ++(hit ? counts->hits : counts->misses);
  }
  return true;
}

bool VcpuLoads::switched(bool has_root, std::uint64_t time_ns) {
  const bool counted = settle(has_root);
  pending_ = true;
  pending_since_ns_ = time_ns;
  has_cause_ = false;
  return counted;
}

bool VcpuLoads::loaded() {
  const bool by_switch = pending_;
  const bool counted = settle(false);
  const Cause cause = has_cause_ ? cause_ : Cause::unknown;
  for (LoadCounts* counts : {&total_, &recent_}) {
    ++counts->loads;
    if (!by_switch) ++counts->of(cause);
  }
  has_cause_ = false;
  return counted;
}

bool VcpuLoads::dropped(Cause cause, bool has_root) {
  // Without a root there is nothing left to drop: what took it counts. A new vCPU has none yet.
  if (!has_root && (pending_ || has_cause_)) return false;
  const bool counted = settle(true);
  // A reset unloads the root itself.
  if (cause == Cause::unload && has_cause_) return counted;
  cause_ = cause;
  has_cause_ = true;
  return counted;
}

void VcpuLoads::rest(std::uint64_t since_ns) {
  if (!pending_ || rested_ || pending_since_ns_ > since_ns) return;
  settle(true);
  pending_ = true;
  rested_ = true;
}

LoadCounts VcpuLoads::take() {
  const LoadCounts counts = recent_;
  recent_ = {};
  return counts;
}

}  // namespace kvmscope::tracing
