#include "core/kvm/guest_memory.hpp"

#include <algorithm>
#include <array>

#include "core/kvm/memslots.hpp"
#include "core/kvm/rmap.hpp"

namespace kvmscope::kvm {
namespace {

// KVM_X86_*_VM, asm/kvm.h: the kinds of VMs whose memory is their own.
struct VmType {
  std::uint64_t value;
  std::string_view name;
};
constexpr std::array<VmType, 5> confidential_types = {
    {{1, "software-protected"}, {2, "SEV"}, {3, "SEV-ES"}, {4, "SEV-SNP"}, {5, "TDX"}}};

std::string encrypted(std::string_view type) {
  return fmt::format("VM has type {}: its memory is encrypted or private to it", type);
}

// Of kvm_amd before v6.8, when VMs had no type yet.
bool sev_active(const Kvm& kvm, const Vm& vm) {
  if (find_module(kvm.kernel().modules(), "kvm_amd") == nullptr) return false;
  const SvmVmFields& fields = kvm.layout().svm_vm();
  return fields.sev_active.present() &&
         StructCopy(fields, kvm.memory(), vm.address).get(fields.sev_active) != 0;
}

[[noreturn]] void throw_absent(GuestPhysAddr at, const GuestPlace& place, HostState state) {
  throw_error(ErrorKind::fault,
              "guest address {:#x} is at {:#x} in the owner's process, where the host has no page "
              "({})",
              at.value, place.hva, name(state));
}

}  // namespace

std::optional<std::string> confidential(const Kvm& kvm, const Vm& vm) {
  const std::uint64_t type = vm.fields.find(kvm.layout().vm().vm_type).value_or(0);
  for (const VmType& one : confidential_types)
    if (one.value == type) return encrypted(one.name);
  if (sev_active(kvm, vm)) return encrypted("SEV");
  return std::nullopt;
}

GuestMemory::GuestMemory(const Kvm& kvm, const Vm& vm, unsigned as_id)
    : kvm_(kvm), vm_(vm), slots_(kvm.memslots(vm)), confidential_(confidential(kvm, vm)) {
  std::erase_if(slots_, [&](const Memslot& slot) { return slot.as_id != as_id; });
}

GuestPlace GuestMemory::place(GuestPhysAddr at) const {
  const Gfn gfn = to_gfn(at);
  const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                 [&](const Memslot& one) { return holds(one, gfn); });
  if (slot == slots_.end()) return {};
  return {&*slot, hva_of(*slot, at)};
}

void GuestMemory::read(GuestPhysAddr at, MutableBytes into) const {
  while (!into.empty()) {
    const std::uint64_t inside = at.value % page_size;
    const std::size_t count = std::min<std::uint64_t>(into.size(), page_size - inside);
    kvm_.kernel().physical().read(page_of(at - inside) + inside, into.first(count));
    into = into.subspan(count);
    at += count;
  }
}

PhysAddr GuestMemory::page_of(GuestPhysAddr page) const {
  if (confidential_)
    throw_error(ErrorKind::fault, "guest address {:#x} cannot be read: the {}", page.value,
                *confidential_);
  if (const auto known = pages_.find(page); known != pages_.end()) return known->second;
  const GuestPlace place = this->place(page);
  if (place.slot == nullptr)
    throw_error(ErrorKind::fault, "guest address {:#x} is in no memslot of VM {}", page.value,
                vm_.index);
  if ((place.slot->flags & slot_flag::guest_memfd) != 0)
    throw_error(ErrorKind::fault,
                "guest address {:#x} cannot be read: memslot {} is backed by guest_memfd, which is "
                "private to the guest",
                page.value, place.slot->id);
  const HostWalk walk = walk_host(kvm_, vm_, place.hva);
  if (walk.lost) throw Error(*walk.lost);
  if (!walk.hpa) throw_absent(page, place, walk.state);
  pages_.emplace(page, *walk.hpa);
  return *walk.hpa;
}

}  // namespace kvmscope::kvm
