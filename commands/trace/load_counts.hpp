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
// of the vCPU, before which it has no effect that a probe could see.
class VcpuLoads {
 public:
  // At the entry of each function; `has_root`: whether the current root was valid then.
  void switched(bool has_root);
  void loaded();
  void dropped(Cause cause, bool has_root);

  // What was counted since the last call. A switch that shows no effect for so long that somebody
  // wants to know is a hit; if it turns out to be a miss, the next counts have the miss, too.
  LoadCounts take();
  // All of it; exact, once there are no more events.
  LoadCounts total() const;

 private:
  void settle(bool hit);

  LoadCounts total_;
  LoadCounts recent_;
  bool pending_ = false;       // a switch whose effect was not seen yet
  bool taken_as_hit_ = false;  // and take() has called it one
  bool has_cause_ = false;
  Cause cause_ = Cause::unknown;
};

}  // namespace kvmscope::tracing
