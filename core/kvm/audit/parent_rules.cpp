// Rules about the ways between shadow pages: down through entries, up through what lists them.

#include <algorithm>

#include "core/kvm/audit/describe.hpp"

namespace kvmscope::kvm::audit {
namespace {

void check_child(const Model& model, const TableEntry& entry, Report& report) {
  if (entry.kind != SpteKind::table || entry.child != nullptr || entry.child_lost) return;
  report.add(about(entry, fmt::format("leads to {:#x}, where no shadow page has its table",
                                      model.format().target(entry.spte).value)));
}

// ---- parent_ptes

// An entry with the page that it leads to, or that lists it.
struct Way {
  VirtAddr at;
  const Node* child = nullptr;
  const TableLink* link = nullptr;  // nullptr: it was found in parent_ptes
};

bool before(const Way& a, const Way& b) {
  return a.at != b.at ? a.at < b.at : std::less<>()(a.child, b.child);
}

std::vector<Way> ways_without(const std::vector<Way>& ways, const std::vector<Way>& others) {
  std::vector<Way> rest;
  std::ranges::set_difference(ways, others, std::back_inserter(rest), before);
  return rest;
}

Finding not_listed(const Way& way) {
  const ShadowPage& parent = way.link->parent->page;
  Finding finding;
  finding.object = Object::spte;
  finding.address = way.at;
  finding.text = fmt::format(
      "the SPTE at {:#x} ([{}] of {}) leads to {}, which does not list it in "
      "parent_ptes",
      way.at.value, way.link->index, words(parent), words(way.child->page));
  finding.page = parent;
  finding.index = way.link->index;
  finding.related = {way.child->page.address};
  return finding;
}

Finding not_leading(const Model& model, const Way& way) {
  const Node* owner = model.node_of_table({align_down(way.at.value, page_size)});
  Finding finding = about(
      *way.child, fmt::format("lists the SPTE at {:#x} in parent_ptes, {}", way.at.value,
                              owner == nullptr
                                  ? std::string("which is in the table of no shadow page")
                                  : fmt::format("[{}] of {}, which does not lead to it",
                                                way.at.value % page_size / 8, words(owner->page))));
  finding.related = {way.at};
  if (owner != nullptr) finding.related.push_back(owner->page.address);
  return finding;
}

void check_parents(const Model& model, Report& report) {
  std::vector<Way> down;
  std::vector<Way> up;
  for (const TableLink& link : model.links())
    if (!link.child->page.tdp_mmu) down.push_back({link.at, link.child, &link});
  for (const Listed& listed : model.parents()) up.push_back({listed.spte, listed.child, nullptr});
  std::ranges::sort(down, before);
  std::ranges::sort(up, before);
  for (const Way& way : ways_without(down, up)) report.add(not_listed(way));
  for (const Way& way : ways_without(up, down)) report.add(not_leading(model, way));
}

// ---- ptep

void check_ptep(const Model& model, Report& report) {
  for (const TableLink& link : model.links()) {
    const ShadowPage& child = link.child->page;
    if (!child.tdp_mmu || child.ptep == link.at) continue;
    Finding finding =
        about(*link.child,
              fmt::format("has ptep {:#x}, but the SPTE at {:#x} ([{}] of {}) leads to "
                          "it",
                          child.ptep.value, link.at.value, link.index, words(link.parent->page)));
    finding.related = {link.at, link.parent->page.address};
    report.add(std::move(finding));
  }
  for (const Node& node : model.nodes())
    if (node.listing.tdp_root && node.page.tdp_mmu && node.page.ptep.value != 0)
      report.add(about(node, fmt::format("is a root, but has ptep {:#x}", node.page.ptep.value)));
}

std::string with_ptep(const Model& model) {
  if (!model.kvm().layout().page().ptep.present())
    return "this kernel's TDP MMU pages do not know their parent";
  return in_tdp_mmu_only(model);
}

// ---- struct pte_list_desc

void check_chains(const Model& model, Report& report) {
  for (const ChainFault& fault : model.chain_faults()) {
    if (fault.child != nullptr) {
      report.add(about(*fault.child, "has parent_ptes that are not right: " + fault.text));
      continue;
    }
    Finding finding;
    finding.object = Object::rmap;
    finding.address = fault.head.address;
    finding.text =
        fmt::format("the rmap of gfn {:#x}, level {}, at {:#x}: {}", fault.head.gfn.value,
                    fault.head.level, fault.head.address.value, fault.text);
    report.add(std::move(finding));
  }
}

}  // namespace

std::vector<Rule> parent_rules() {
  return {
      {.name = "pte-list",
       .what = "each struct pte_list_desc of parent_ptes and rmaps has as many entries as it has "
               "room for at most and one at least, none NULL or twice; since v6.4 those behind the "
               "first are full, and tail_count is the number of entries behind",
       .when = "",
       .source = "pte_list_add, pte_list_desc_remove_entry",
       .breaks = {"parent-ptes", "rmap"},
       .reads = part::lists | part::slots | part::tables | part::parents | part::rmaps,
       .check = check_chains},
      {.name = "child-table",
       .what = "each present entry that is no leaf leads to the table of a shadow page",
       .when = "",
       .source = "link_shadow_page, tdp_mmu_link_sp, spte_to_child_sp",
       .breaks = {"parent-ptes", "ptep", "unsync-stale", "tdp-parent", "tdp-pages", "nx-list"},
       .reads = part::lists | part::tables,
       .entry = check_child},
      {.name = "parent-ptes",
       .what = "each present entry that leads to a shadow page is in its parent_ptes, and each "
               "entry there leads to it",
       .when = "shadow pages",
       .source = "mmu_page_add_parent_pte, mmu_page_remove_parent_pte",
       .breaks = {"unsync-bitmap", "unsync-stale", "child-gfn", "role", "guest-entry"},
       .reads = part::lists | part::tables | part::parents,
       .whole = part::lists | part::tables | part::parents,
       .check = check_parents},
      {.name = "ptep",
       .what = "ptep of a TDP MMU page is the entry that leads to it, NULL in a root",
       .when = "since v5.15 (kvm_mmu_page.ptep); VMs with the TDP MMU",
       .source = "tdp_mmu_init_child_sp",
       .reads = part::lists | part::tables,
       .excuse = with_ptep,
       .check = check_ptep},
  };
}

}  // namespace kvmscope::kvm::audit
