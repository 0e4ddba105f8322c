// Rules about guest memory: the host's page tables, and the guest's own.

#include "core/kvm/audit/describe.hpp"
#include "core/kvm/audit/host_pages.hpp"

namespace kvmscope::kvm::audit {
namespace {

// What is private lies in a file that the owner need not map.
bool has_private_memory(const Memslot& slot) {
  return (slot.flags & slot_flag::guest_memfd) != 0;
}

void check_leaf(const Model& model, const Leaf& leaf, HostPages& host, Report& report) {
  const SlotArrays* slot = model.slot_of(leaf.node->page.role.smm, leaf.gfn);
  if (slot == nullptr) {
    // Of a shadow page it is the rmap's rule that says so.
    if (leaf.node->page.tdp_mmu)
      report.add(
          about(leaf, fmt::format("maps gfn {:#x}, which is in no memslot", leaf.gfn.value)));
    return;
  }
  if (slot->being_changed() || has_private_memory(slot->slot)) return;
  const std::uint64_t hva = hva_of(slot->slot, to_gpa(leaf.gfn));
  const HostPage page = host.at(hva);
  const PhysAddr target = model.format().target(leaf.spte);
  if (page.state != HostState::mapped) {
    report.add(about(leaf, fmt::format("maps hpa {:#x} at gfn {:#x}, but hva {:#x} is {} in the "
                                       "owner's page tables",
                                       target.value, leaf.gfn.value, hva, name(page.state))));
    return;
  }
  if (page.hpa != target)
    report.add(about(leaf, fmt::format("maps hpa {:#x} at gfn {:#x}, but hva {:#x} is at hpa {:#x}",
                                       target.value, leaf.gfn.value, hva, page.hpa.value)));
  else if (model.format().writable(leaf.spte) && !page.writable)
    report.add(
        about(leaf, fmt::format("lets the guest write gfn {:#x}, but the owner may not write "
                                "hva {:#x}",
                                leaf.gfn.value, hva)));
}

void check_host(const Model& model, Report& report) {
  if (!model.slots_known()) return;
  HostPages host(model.kvm(), model.vm());
  for (const Leaf& leaf : model.leaves())
    model.attempt([&] { check_leaf(model, leaf, host, report); });
}

}  // namespace

std::vector<Rule> memory_rules() {
  return {
      {.name = "host-pfn",
       .what = "a leaf maps the page that the owner has at that address, writable only where the "
               "owner may write it",
       .when = "memslots that are not being changed and have no guest_memfd",
       .source = "kvm_faultin_pfn, kvm_mmu_notifier_invalidate_range_start",
       .reads = part::lists | part::slots | part::tables,
       .whole = part::slots,
       .check = check_host},
  };
}

}  // namespace kvmscope::kvm::audit
