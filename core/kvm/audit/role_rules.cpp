// Rules about what a shadow page takes over from the one above it.

#include "core/kvm/audit/describe.hpp"

namespace kvmscope::kvm::audit {
namespace {

std::uint64_t frames_of(unsigned level) {
  return std::uint64_t{1} << (9 * level);
}

void check_gfn(const Model&, const TableEntry& entry, Report& report) {
  if (entry.child == nullptr || !entry.child->page.role.direct) return;
  const ShadowPage& parent = entry.node.page;
  const ShadowPage& child = entry.child->page;
  if (!parent.role.direct) {
    // Only the guest's entry tells the frame, but a table maps an aligned piece.
    if (!is_aligned(child.gfn.value, frames_of(child.level())))
      report.add(about(
          entry,
          fmt::format("leads to {}, which is direct, but its gfn is not aligned", words(child))));
    return;
  }
  const Gfn gfn = parent.gfn + (std::uint64_t{entry.index} << (9 * (parent.level() - 1)));
  if (child.gfn != gfn)
    report.add(about(
        entry, fmt::format("leads to {}, but stands for gfn {:#x}", words(child), gfn.value)));
}

void check_role(const Model& model, const TableEntry& entry, Report& report) {
  if (entry.child == nullptr) return;
  const Role& parent = entry.node.page.role;
  const Role& child = entry.child->page.role;
  const std::uint32_t differs = (parent.word ^ child.word) & model.inherited_role();
  if (differs != 0)
    report.add(
        about(entry, fmt::format("leads to {}, whose role {:#x} differs from {:#x} of the "
                                 "page above in bits {:#x}",
                                 words(entry.child->page), child.word, parent.word, differs)));
  if (!child.direct && parent.direct)
    report.add(about(entry, fmt::format("leads to {}, which is indirect below a direct page",
                                        words(entry.child->page))));
}

}  // namespace

std::vector<Rule> role_rules() {
  return {
      {.name = "child-gfn",
       .what = "a direct page has the gfn that the entry above it stands for; below an indirect "
               "page it is aligned",
       .when = "",
       .source = "kvm_mmu_get_child_sp, FNAME(fetch), tdp_mmu_init_child_sp",
       .breaks = {"hash", "rmap", "host-pfn"},
       .reads = part::lists | part::tables,
       .entry = check_gfn},
      {.name = "role",
       .what = "the role of a page is that of the page above it but for level, quadrant, access, "
               "direct, passthrough and the size of guest entries",
       .when = "",
       .source = "kvm_mmu_child_role",
       .breaks = {"rmap", "indirect-pages", "lpage-info", "write-track", "write-protect"},
       .reads = part::lists | part::tables,
       .entry = check_role},
  };
}

}  // namespace kvmscope::kvm::audit
