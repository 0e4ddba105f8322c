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

// kvm_mmu_new_pgd(): a miss leaves the vCPU without a root until kvm_mmu_load() makes one, which
// it does before it enters the guest again. So the first thing seen after a miss is a load, or
// another function that finds no root.
void VcpuLoads::settle(bool hit) {
  if (!pending_) return;
  pending_ = false;
  ++(hit ? total_.hits : total_.misses);
  if (!hit || !taken_as_hit_) ++(hit ? recent_.hits : recent_.misses);
}

void VcpuLoads::switched(bool has_root) {
  settle(has_root);
  pending_ = true;
  taken_as_hit_ = false;
  has_cause_ = false;
  ++total_.switches;
  ++recent_.switches;
}

void VcpuLoads::loaded() {
  ++total_.loads;
  ++recent_.loads;
  if (pending_) {
    settle(false);
  } else {
    const Cause cause = has_cause_ ? cause_ : Cause::unknown;
    ++total_.of(cause);
    ++recent_.of(cause);
  }
  has_cause_ = false;
}

void VcpuLoads::dropped(Cause cause, bool has_root) {
  // Without a root there is nothing left to drop: what took it counts.
  if (!has_root) return;
  settle(true);
  // A reset unloads the root itself.
  if (cause == Cause::unload && has_cause_) return;
  cause_ = cause;
  has_cause_ = true;
}

LoadCounts VcpuLoads::take() {
  if (pending_ && !taken_as_hit_) {
    taken_as_hit_ = true;
    ++recent_.hits;
  }
  const LoadCounts counts = recent_;
  recent_ = {};
  return counts;
}

LoadCounts VcpuLoads::total() const {
  LoadCounts total = total_;
  if (pending_) ++total.hits;
  return total;
}

}  // namespace kvmscope::tracing
