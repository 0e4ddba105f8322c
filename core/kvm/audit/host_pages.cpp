#include "core/kvm/audit/host_pages.hpp"

#include <algorithm>

namespace kvmscope::kvm::audit {
namespace {

constexpr unsigned region_shift = 21;
constexpr std::uint64_t entry_present = 1;
constexpr std::uint64_t entry_writable = 2;
constexpr std::uint64_t frame_bits = bit_range(12, 51);

}  // namespace

HostPage HostPages::at(std::uint64_t hva) {
  if (hva >> region_shift != region_.number) return walk(hva);
  const std::uint64_t entry = region_.table[hva >> page_shift & 511];
  // Anything but a mapped page is looked at in full.
  if ((entry & entry_present) == 0) return walk(hva);
  const std::uint64_t frame = entry & frame_bits & ~kvm_.kernel().vmcoreinfo().sme_mask();
  return {HostState::mapped,
          {frame | (hva & page_offset_mask)},
          region_.writable && (entry & entry_writable) != 0};
}

HostPage HostPages::walk(std::uint64_t hva) {
  const HostWalk walk = walk_host(kvm_, vm_, hva);
  if (walk.lost) throw Error(*walk.lost);
  const auto writable = [](const WalkStep<PhysAddr>& step) {
    return (step.entry & entry_writable) != 0;
  };
  const WalkStep<PhysAddr>& last = walk.steps.back();
  if (last.level == 1) {
    region_.number = hva >> region_shift;
    region_.writable = std::all_of(walk.steps.begin(), walk.steps.end() - 1, writable);
    region_.table = read_table(kvm_.kernel().physical(),
                               PhysAddr{align_down(last.entry_address.value, page_size)});
  }
  HostPage page;
  page.state = walk.state;
  page.hpa = walk.hpa.value_or(PhysAddr{});
  page.writable = std::ranges::all_of(walk.steps, writable);
  return page;
}

}  // namespace kvmscope::kvm::audit
