// Rules about the lists that a VM's shadow pages are on, and how many there are.

#include "core/kvm/audit/describe.hpp"

namespace kvmscope::kvm::audit {
namespace {

void check_lists(const Model& model, Report& report) {
  for (const ListFault& fault : model.list_faults()) {
    Finding finding;
    finding.object = Object::list;
    finding.address = fault.head;
    finding.text = fmt::format("{}: {}", fault.name, fault.text);
    finding.wide = true;
    report.add(std::move(finding));
  }
}

void check_active(const Model&, const Node& node, Report& report) {
  if (node.listing.active != 0 && node.page.role.invalid)
    report.add(about(node, "is on active_mmu_pages, but its role is invalid"));
}

std::string in_kernels_with_tdp_mmu(const Model& model) {
  return model.kvm().layout().page().tdp_mmu_page.present()
             ? ""
             : "this kernel leaves invalid roots on active_mmu_pages";
}

// Pages that wait for their last reference are invalid, and so are those that wait to be freed.
void check_hash(const Model& model, const Node& node, Report& report) {
  const Listing& listing = node.listing;
  if (node.page.tdp_mmu) {
    if (listing.active != 0 || listing.hashed != 0)
      report.add(about(node, "is of the TDP MMU, but among the shadow pages"));
    return;
  }
  if (listing.hashed == 0 && listing.active == 0)
    report.add(about(node, "is neither on active_mmu_pages nor in mmu_page_hash"));
  else if (listing.hashed == 0)
    report.add(about(node, "is on active_mmu_pages, but not in mmu_page_hash"));
  else if (listing.hashed > 1)
    report.add(about(node, fmt::format("is in mmu_page_hash {} times", listing.hashed)));
  else if (listing.bucket != model.bucket_of(node.page.gfn))
    report.add(about(node, fmt::format("is in bucket {} of mmu_page_hash, but its gfn belongs into "
                                       "bucket {}",
                                       listing.bucket, model.bucket_of(node.page.gfn))));
  if (listing.hashed != 0 && listing.active == 0 && !node.page.role.invalid)
    report.add(about(node, "is in mmu_page_hash and valid, but not on active_mmu_pages"));
}

void check_used(const Model& model, Report& report) {
  std::uint64_t held = 0;
  for (const Node& node : model.nodes())
    held += !node.page.tdp_mmu && node.listing.active == 0 && node.listing.hashed != 0 &&
            node.page.role.invalid && node.page.root_count > 0;
  const Field& field = model.kvm().layout().vm().used_pages;
  const std::uint64_t used = model.vm().fields.get(field);
  if (used != model.active_count() + held)
    report.add(about_vm(model, fmt::format("{} is {}, but active_mmu_pages has {} pages and {} "
                                           "invalid roots are held",
                                           field.spelling, used, model.active_count(), held)));
}

}  // namespace

std::vector<Rule> list_rules() {
  return {
      {.name = "lists",
       .what = "active_mmu_pages, the buckets of mmu_page_hash, zapped_obsolete_pages, the lists "
               "of the TDP MMU and of possible NX huge pages are whole: no loop, no poison, each "
               "link back is right",
       .when = "",
       .source = "list_add, list_del, hlist_add_head",
       .breaks = {"used-pages", "hash", "unsync-count", "indirect-pages", "nx-list", "tdp-roots",
                  "tdp-pages"},
       .check = check_lists},
      {.name = "hash",
       .what = "each shadow page is in the bucket of its gfn, once, and each page there is on "
               "active_mmu_pages unless it is invalid",
       .when = "",
       .source = "kvm_mmu_alloc_shadow_page, __kvm_mmu_prepare_zap_page, kvm_page_table_hashfn",
       .breaks = {"used-pages"},
       .whole = part::lists,
       .page = check_hash},
      {.name = "active-valid",
       .what = "no page on active_mmu_pages is invalid",
       .when = "since v5.10 (kvm_mmu_page.tdp_mmu_page)",
       .source = "__kvm_mmu_prepare_zap_page",
       .breaks = {"indirect-pages"},
       .excuse = in_kernels_with_tdp_mmu,
       .page = check_active},
      {.name = "used-pages",
       .what = "n_used_mmu_pages (or stat.mmu_shadow_pages) is the number of pages on "
               "active_mmu_pages and of invalid roots that are held",
       .when = "",
       .source = "kvm_mod_used_mmu_pages",
       .breaks = {"total-pages"},
       .whole = part::lists,
       .check = check_used},
  };
}

}  // namespace kvmscope::kvm::audit
