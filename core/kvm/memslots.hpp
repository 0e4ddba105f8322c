// What a memslot says about the frames in it.
#pragma once

#include <cstdint>
#include <span>

#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

// Memslot::flags: KVM_MEM_*, include/uapi/linux/kvm.h; KVM_MEMSLOT_INVALID,
// include/linux/kvm_host.h.
namespace slot_flag {
inline constexpr std::uint64_t dirty_log = 1 << 0;
inline constexpr std::uint64_t readonly = 1 << 1;
inline constexpr std::uint64_t guest_memfd = 1 << 2;  // since v6.8
inline constexpr std::uint64_t invalid = 1 << 16;     // being moved or deleted
}  // namespace slot_flag

// Where a guest address lies in the owner's process. Precondition: the slot holds it.
constexpr std::uint64_t hva_of(const Memslot& slot, GuestPhysAddr gpa) {
  return slot.hva + (gpa - to_gpa(slot.base));
}

// Fills `into` with disallow_lpage of the elements from `first` of one of a memslot's
// kvm_lpage_info arrays. Throws Error{fault}, and Error{corrupt} where such an element is more than
// that number.
void read_disallow_lpage(const Kvm& kvm, VirtAddr array, std::uint64_t first,
                         std::span<std::uint32_t> into);

}  // namespace kvmscope::kvm
