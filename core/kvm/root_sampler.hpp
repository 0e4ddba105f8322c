// A vCPU's current root, its previous ones and its CR3 in one read: for sampling while it runs.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

// A root as its slot holds it. Equal ones are the same table for the same guest table.
struct RootSlot {
  std::optional<std::uint64_t> pgd;  // none: not kept (4.19)
  std::uint64_t hpa = 0;

  bool valid() const;
  auto operator<=>(const RootSlot&) const = default;
};

struct RootSample {
  MmuKind mmu = MmuKind::root_mmu;  // the one that arch.mmu points to: the roots are its
  RootSlot current;
  std::vector<RootSlot> previous;  // prev_roots, the most recent first
  std::uint64_t cr3 = 0;           // as cached
  std::uint64_t vcpu_id = 0;

  // Whether it was read in the middle of a switch, and shows that: KVM lets a root and one of
  // prev_roots change places in several steps (fast_pgd_switch), and none is in two when it is
  // done.
  bool torn() const;
};

class RootSampler {
 public:
  // Throws Error{corrupt} that names a member which this kernel lacks. Keeps a reference.
  explicit RootSampler(const Kvm& kvm);

  // One read. Throws Error{fault}; Error{corrupt} when what lies there is no vCPU of `vm`.
  RootSample sample(VirtAddr vm, VirtAddr vcpu) const;
  // How many bytes that reads.
  std::uint64_t span() const { return end_ - start_; }

 private:
  struct Place {
    std::uint64_t offset = 0;  // in struct kvm_vcpu
    std::uint64_t size = 0;
  };
  // One struct kvm_mmu inside struct kvm_vcpu.
  struct MmuPlaces {
    MmuKind kind = MmuKind::root_mmu;
    std::uint64_t offset = 0;
    std::optional<Place> pgd;
    Place hpa;
    Place previous;
  };

  Place cover(const Field& field, std::uint64_t base = 0);
  void add_mmu(MmuKind kind, const Field& mmu);
  RootSlot slot(Bytes bytes, const std::optional<Place>& pgd, const Place& hpa) const;
  const MmuPlaces& active(Bytes bytes, VirtAddr vcpu) const;

  const Kvm& kvm_;
  bool points_to_mmu_;  // arch.mmu is a pointer; before v5.0 the one mmu itself
  std::uint64_t start_ = ~0ULL;
  std::uint64_t end_ = 0;
  Place owner_;
  Place mmu_;
  Place cr3_;
  Place vcpu_id_;
  std::vector<MmuPlaces> mmus_;
};

}  // namespace kvmscope::kvm
