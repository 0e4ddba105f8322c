// What a translation is put together from.

#include "commands/translate/translation.hpp"

namespace kvmscope {

RootPart walk_current_root(const kvm::Kvm& kvm, const kvm::Vcpu& vcpu,
                           std::optional<std::uint64_t> gva, std::optional<GuestPhysAddr> gpa) {
  RootPart part;
  part.vcpu = vcpu.fields.get(kvm.layout().vcpu().vcpu_id);
  part.lost = lost_in([&] {
    for (const kvm::Root& root : kvm.roots(vcpu)) {
      if (!root.is_active_mmu || root.prev || root.pae || !root.valid) continue;
      part.tree = start_of(root);
      const std::optional<std::uint64_t> address = part.tree->domain == kvm::Domain::gva ? gva
                                                   : gpa ? std::optional(gpa->value)
                                                         : std::nullopt;
      if (!address) return;
      part.name = root.name();
      part.address = *address;
      part.steps = walk_path(kvm, *part.tree, *address);
      if (part.steps.back().lost) throw Error(*part.steps.back().lost);
      return;
    }
  });
  return part;
}

void follow(Translation& item, const kvm::Memslot& slot) {
  item.slot = &slot;
  item.host_lost = lost_in([&] { item.host = kvm::walk_host(item.kvm, item.vm, item.hva()); });
  item.sptes_lost =
      lost_in([&] { item.sptes = kvm::mappings_of(item.kvm, item.vm, slot, to_gfn(*item.gpa)); });
}

}  // namespace kvmscope
