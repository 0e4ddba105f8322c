// What the CR3 switches and root loads of a vCPU come to: hits, misses, and loads for other causes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvmscope::tracing {

// What made KVM drop a vCPU's current root, so that it has to be loaded again.
enum class Cause : std::uint8_t { reset, obsolete, unload, pdptrs, unknown };
inline constexpr std::size_t cause_count = 5;

struct LoadCounts {
  std::int64_t switches = 0;  // kvm_mmu_new_pgd()
  std::int64_t hits = 0;      // the new root was the current one or in prev_roots
  std::int64_t misses = 0;    // it was not
  std::int64_t loads = 0;     // kvm_mmu_load()
  std::array<std::int64_t, cause_count> causes{};  // of the loads that no switch caused

  std::int64_t& of(Cause cause) { return causes[static_cast<std::size_t>(cause)]; }
  LoadCounts& operator+=(const LoadCounts& other);
  bool operator==(const LoadCounts&) const = default;
};

// Follows one vCPU through its events. Whether a switch found its root is seen at the next event
// of the vCPU: only then it is counted.
class VcpuLoads {
 public:
  // At the entry of each function; `has_root`: whether the current root was valid then. Returns
  // whether a switch was counted: this one's effect is not known yet.
  bool switched(bool has_root, std::uint64_t time_ns);
  bool loaded();
  bool dropped(Cause cause, bool has_root);
  // A vCPU without a root loads one before it enters the guest again: a switch from before
  // `since_ns` that had no effect so far was a hit. If that is wrong after all, since the thread
  // had to wait, the total is put right when its load comes.
  void rest(std::uint64_t since_ns);

  // What was counted since the last call.
  LoadCounts take();
  const LoadCounts& total() const { return total_; }

 private:
  bool settle(bool hit);

  LoadCounts total_;
  LoadCounts recent_;
  bool pending_ = false;  // a switch whose effect was not seen
  bool rested_ = false;   // and that was counted as a hit
  std::uint64_t pending_since_ns_ = 0;
  bool has_cause_ = false;
  Cause cause_ = Cause::unknown;
};

}  // namespace kvmscope::tracing
