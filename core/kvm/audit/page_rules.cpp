// Rules about single shadow pages: their table, their generation, the NX huge-page mitigation.

#include <algorithm>
#include <unordered_set>

#include "core/kvm/audit/describe.hpp"
#include "core/kvm/requests.hpp"

namespace kvmscope::kvm::audit {
namespace {

// Which table it had is not known, and what was in it looks as if it were nobody's.
Finding without_table(const Node& node, const std::string& said) {
  Finding finding = about(node, said);
  finding.wide = true;
  return finding;
}

void check_private(const Model& model, const Node& node, Report& report) {
  const Kernel& kernel = model.kvm().kernel();
  const std::optional<PhysAddr> table = kernel.direct_phys(node.page.spt);
  if (!table || !is_aligned(node.page.spt.value, page_size)) {
    report.add(without_table(node, fmt::format("has spt {:#x}, which is no page in the direct map",
                                               node.page.spt.value)));
    return;
  }
  const std::optional<VirtAddr> of_frame = model.value([&] { return model.owner_of(*table); });
  if (!of_frame || *of_frame == node.page.address) return;
  const Node* owner = model.node_at(*of_frame);
  // Only one of two with the same table is its owner.
  if (owner != nullptr && owner->page.spt == node.page.spt) {
    Finding finding =
        without_table(node, fmt::format("has spt {:#x}, which is the table of sp {:#x}",
                                        node.page.spt.value, owner->page.address.value));
    finding.related.push_back(owner->page.address);
    report.add(std::move(finding));
    return;
  }
  report.add(about(node, fmt::format("has spt {:#x}, but page_private of that is {:#x}",
                                     node.page.spt.value, of_frame->value)));
}

// ---- mmu_valid_gen

// KVM_REQ_MMU_FREE_OBSOLETE_ROOTS since v5.18, when root.hpa came, KVM_REQ_MMU_RELOAD before.
bool asked_to_reload(const Model& model, const Vcpu& vcpu) {
  const Kvm& kvm = model.kvm();
  const bool frees_obsolete = kvm.layout().mmu().root_hpa.spelling == "root.hpa";
  return request::is_pending(
      vcpu.fields.get(kvm.layout().vcpu().requests),
      frees_obsolete ? request::mmu_free_obsolete_roots : request::mmu_reload);
}

void check_generation(const Model& model, const Node& node, Report& report) {
  if (!model.obsolete(node.page) || node.listing.active == 0 || node.listing.zapped) return;
  if (std::ranges::any_of(model.vcpus(),
                          [&](const Vcpu& vcpu) { return asked_to_reload(model, vcpu); }))
    return;
  report.add(about(
      node, fmt::format(
                "has mmu_valid_gen {}, the VM {}, and no vCPU is asked to free its obsolete "
                "roots",
                node.page.valid_gen, model.vm().fields.get(model.kvm().layout().vm().valid_gen))));
}

std::string with_generation(const Model& model) {
  return without_member(model.kvm().layout().vm().valid_gen, "mmu_valid_gen");
}

// ---- indirect_shadow_pages

void check_indirect(const Model& model, Report& report) {
  const std::uint64_t found = static_cast<std::uint64_t>(std::ranges::count_if(
      model.nodes(), [](const Node& node) { return node.has_gptes() && !node.page.role.invalid; }));
  const std::uint64_t counted = model.counters().get(model.layout().indirect_pages);
  if (found != counted)
    report.add(about_vm(model, fmt::format("indirect_shadow_pages is {}, but {} valid pages shadow "
                                           "tables of the guest",
                                           counted, found)));
}

std::string with_indirect_count(const Model& model) {
  return without_member(model.layout().indirect_pages, "indirect_shadow_pages");
}

// ---- possible NX huge pages

// Only until v6.2 every page that the mitigation made was on the list.
bool lists_all(const Model& model) {
  return model.layout().nx_pages.spelling == "arch.lpage_disallowed_mmu_pages";
}

void check_nx(const Model& model, Report& report) {
  std::unordered_set<std::uint64_t> listed;
  for (const VirtAddr address : model.nx_pages()) {
    const Node* node = model.node_at(address);
    listed.insert(address.value);
    if (node != nullptr && !node->page.nx_huge_disallowed)
      report.add(about(*node, "is on the list of possible NX huge pages, but not marked as one"));
  }
  for (const Node& node : model.nodes())
    if (lists_all(model) && node.page.nx_huge_disallowed &&
        !listed.contains(node.page.address.value))
      report.add(about(node, "is marked lpage_disallowed, but not on lpage_disallowed_mmu_pages"));
  const std::optional<std::uint64_t> counted = model.counters().find(model.layout().nx_splits);
  if (counted && *counted != model.nx_pages().size())
    report.add(
        about_vm(model, fmt::format("stat.nx_lpage_splits is {}, but the list of possible NX "
                                    "huge pages has {}",
                                    *counted, model.nx_pages().size())));
}

std::string with_nx_list(const Model& model) {
  return without_member(model.layout().nx_pages, "list of possible NX huge pages");
}

}  // namespace

std::vector<Rule> page_rules() {
  return {
      {.name = "page-private",
       .what = "spt is a page in the direct map that no other shadow page has, and page_private() "
               "of it leads back to the shadow page",
       .when = "",
       .source = "kvm_mmu_alloc_shadow_page, tdp_mmu_init_sp, to_shadow_page",
       .breaks = {"child-table", "parent-ptes", "rmap", "root-page", "root-count", "ptep",
                  "unsync-bitmap", "unsync-stale", "tdp-parent", "tdp-pages", "prev-roots"},
       .page = check_private},
      {.name = "valid-gen",
       .what = "each active shadow page has the VM's mmu_valid_gen, unless vCPUs are asked to free "
               "obsolete roots",
       .when = "kernels with kvm_arch.mmu_valid_gen; shadow pages",
       .source = "kvm_mmu_zap_all_fast, is_obsolete_sp",
       .reads = part::lists | part::roots,
       .whole = part::roots,
       .excuse = with_generation,
       .page = check_generation},
      {.name = "indirect-pages",
       .what = "indirect_shadow_pages is the number of valid pages that shadow tables of the guest",
       .when = "",
       .source = "account_shadowed, unaccount_shadowed",
       .whole = part::lists,
       .excuse = with_indirect_count,
       .check = check_indirect},
      {.name = "nx-list",
       .what = "each page on the list of possible NX huge pages is marked so, and "
               "stat.nx_lpage_splits is their number; until v6.2 each marked page is on it",
       .when = "since v5.4 (kvm_arch.possible_nx_huge_pages, lpage_disallowed_mmu_pages)",
       .source = "track_possible_nx_huge_page, account_huge_nx_page",
       .reads = part::lists | part::tables,
       .whole = part::lists | part::tables,
       .excuse = with_nx_list,
       .check = check_nx},
  };
}

}  // namespace kvmscope::kvm::audit
