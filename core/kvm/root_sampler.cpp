#include "core/kvm/root_sampler.hpp"

#include <algorithm>

#include "core/base/error.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t invalid_page = ~0ULL;  // INVALID_PAGE
constexpr std::uint64_t largest_span = 1 << 16;

}  // namespace

bool RootSlot::valid() const {
  return hpa != invalid_page;
}

bool RootSample::torn() const {
  return current.valid() && std::find(previous.begin(), previous.end(), current) != previous.end();
}

RootSampler::RootSampler(const Kvm& kvm) : kvm_(kvm) {
  const VcpuFields& fields = kvm.layout().vcpu();
  require(fields.mmu);
  points_to_mmu_ = strip(*fields.mmu.type).kind == TypeKind::pointer;
  owner_ = cover(fields.kvm);
  cr3_ = cover(fields.cr3);
  vcpu_id_ = cover(fields.vcpu_id);
  if (points_to_mmu_) mmu_ = cover(fields.mmu);
  add_mmu(MmuKind::root_mmu, fields.root_mmu);
  if (fields.guest_mmu.present()) add_mmu(MmuKind::guest_mmu, fields.guest_mmu);
  if (span() > largest_span)
    throw_error(ErrorKind::corrupt, "the roots of a struct kvm_vcpu are {} bytes apart", span());
}

RootSampler::Place RootSampler::cover(const Field& field, std::uint64_t base) {
  require(field);
  const Place place{base + field.offset, field.size};
  start_ = std::min(start_, place.offset);
  end_ = std::max(end_, place.offset + place.size);
  return place;
}

void RootSampler::add_mmu(MmuKind kind, const Field& mmu) {
  require(mmu);
  const MmuFields& fields = kvm_.layout().mmu();
  MmuPlaces places{.kind = kind,
                   .offset = mmu.offset,
                   .pgd = std::nullopt,
                   .hpa = cover(fields.root_hpa, mmu.offset),
                   .previous = cover(fields.prev_roots, mmu.offset)};
  if (fields.root_pgd.present()) places.pgd = cover(fields.root_pgd, mmu.offset);
  mmus_.push_back(places);
}

RootSlot RootSampler::slot(Bytes bytes, const std::optional<Place>& pgd, const Place& hpa) const {
  const auto number = [&](const Place& place) {
    return load_unsigned(bytes.subspan(place.offset - start_, place.size));
  };
  return {pgd ? std::optional(number(*pgd)) : std::nullopt, number(hpa)};
}

const RootSampler::MmuPlaces& RootSampler::active(Bytes bytes, VirtAddr vcpu) const {
  if (!points_to_mmu_) return mmus_.front();
  const VirtAddr at{load_unsigned(bytes.subspan(mmu_.offset - start_, mmu_.size))};
  const auto found = std::find_if(mmus_.begin(), mmus_.end(), [&](const MmuPlaces& places) {
    return at == vcpu + places.offset;
  });
  if (found == mmus_.end())
    throw_error(ErrorKind::corrupt, "arch.mmu of the vCPU at {:#x} is {:#x}, which is none of its",
                vcpu.value, at.value);
  return *found;
}

RootSample RootSampler::sample(VirtAddr vm, VirtAddr vcpu) const {
  std::vector<std::byte> bytes(span());
  kvm_.memory().peek(vcpu + start_, bytes);
  const VirtAddr owner{load_unsigned(Bytes(bytes).subspan(owner_.offset - start_, owner_.size))};
  if (owner != vm)
    throw_error(ErrorKind::corrupt, "there is no vCPU of the VM at {:#x} at {:#x} any more",
                vm.value, vcpu.value);
  const MmuPlaces& mmu = active(bytes, vcpu);
  RootSample sample{.mmu = mmu.kind, .current = slot(bytes, mmu.pgd, mmu.hpa), .previous = {}};
  sample.cr3 = load_unsigned(Bytes(bytes).subspan(cr3_.offset - start_, cr3_.size));
  sample.vcpu_id = load_unsigned(Bytes(bytes).subspan(vcpu_id_.offset - start_, vcpu_id_.size));
  const RootInfoFields& info = kvm_.layout().root_info();
  const std::uint64_t size = kvm_.layout().mmu().prev_roots.element_size();
  for (std::uint64_t at = 0; at + size <= mmu.previous.size; at += size) {
    const std::uint64_t entry = mmu.previous.offset + at;
    RootSlot previous = slot(bytes, Place{entry + info.pgd.offset, info.pgd.size},
                             Place{entry + info.hpa.offset, info.hpa.size});
    // Both sides of a comparison keep it, or neither.
    if (!mmu.pgd) previous.pgd.reset();
    sample.previous.push_back(previous);
  }
  return sample;
}

}  // namespace kvmscope::kvm
