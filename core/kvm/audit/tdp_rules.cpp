// Rules about the trees of the TDP MMU.

#include "core/kvm/audit/describe.hpp"

namespace kvmscope::kvm::audit {
namespace {

void check_roots(const Model& model, Report& report) {
  for (const Node& node : model.nodes()) {
    if (!node.listing.tdp_root) continue;
    if (!node.page.tdp_mmu)
      report.add(about(node, "is on tdp_mmu_roots, but not of the TDP MMU"));
    else if (node.page.root_count <= 0)
      report.add(about(node, fmt::format("is on tdp_mmu_roots with tdp_mmu_root_count {}",
                                         node.page.root_count)));
  }
  for (const auto& [address, count] : model.references()) {
    const Node* node = model.node_at({address});
    if (node != nullptr && node->page.tdp_mmu && !node->listing.tdp_root)
      report.add(about(*node, "is held as a root, but not on tdp_mmu_roots"));
  }
}

void check_parent(const Model&, const Node& node, Report& report) {
  if (!node.page.tdp_mmu) return;
  if (node.listing.tdp_root && node.ways != 0)
    report.add(about(node, fmt::format("is a root, but {} entries lead to it", node.ways)));
  if (!node.listing.tdp_root && node.ways > 1)
    report.add(about(node, fmt::format("has {} entries that lead to it", node.ways)));
}

void check_pages(const Model& model, Report& report) {
  std::uint64_t reached = 0;
  const bool listed = model.layout().tdp_pages.present();
  for (const Node& node : model.nodes()) {
    if (!node.page.tdp_mmu || node.listing.tdp_root) continue;
    reached += node.ways != 0;
    if (listed && node.ways != 0 && !node.listing.tdp_listed)
      report.add(about(node, "is in a tree, but not on tdp_mmu_pages"));
    if (node.listing.tdp_listed && node.ways == 0)
      report.add(about(node, "is on tdp_mmu_pages, but in no tree"));
  }
  const std::optional<std::uint64_t> counted = model.counters().find(model.layout().tdp_page_count);
  if (!listed && counted && *counted != reached)
    report.add(about_vm(model, fmt::format("tdp_mmu_pages is {}, but the trees have {} pages below "
                                           "their roots",
                                           *counted, reached)));
}

std::string with_pages(const Model& model) {
  if (!model.layout().tdp_pages.present() && !model.layout().tdp_page_count.present())
    return "this kernel keeps no list or number of TDP MMU pages";
  return in_tdp_mmu_only(model);
}

}  // namespace

std::vector<Rule> tdp_rules() {
  return {
      {.name = "tdp-roots",
       .what = "each page on tdp_mmu_roots is of the TDP MMU and held, and each TDP root of a vCPU "
               "is on it",
       .when = "VMs with the TDP MMU",
       .source = "kvm_tdp_mmu_alloc_root, kvm_tdp_mmu_put_root",
       .breaks = {"tdp-root-count", "tdp-pages", "hash", "tdp-parent"},
       .reads = part::lists | part::roots,
       .whole = part::lists,
       .excuse = in_tdp_mmu_only,
       .check = check_roots},
      {.name = "tdp-parent",
       .what = "one entry leads to each TDP MMU page, none to a root",
       .when = "VMs with the TDP MMU",
       .source = "tdp_mmu_link_sp",
       .breaks = {"ptep", "child-gfn", "tdp-pages"},
       .reads = part::lists | part::tables,
       .excuse = in_tdp_mmu_only,
       .page = check_parent},
      {.name = "tdp-pages",
       .what = "tdp_mmu_pages has the pages below the roots: all of them until v6.3, their number "
               "since",
       .when = "VMs with the TDP MMU; kernels with kvm_arch.tdp_mmu_pages",
       .source = "tdp_mmu_link_sp, tdp_mmu_unlink_sp",
       .reads = part::lists | part::tables,
       .whole = part::lists | part::tables,
       .excuse = with_pages,
       .check = check_pages},
  };
}

}  // namespace kvmscope::kvm::audit
