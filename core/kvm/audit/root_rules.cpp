// Rules about the roots that vCPUs hold.

#include <algorithm>
#include <map>
#include <set>

#include "core/kvm/audit/describe.hpp"
#include "core/kvm/requests.hpp"

namespace kvmscope::kvm::audit {
namespace {

Finding about_root(const Model& model, const Root& root, const std::string& said) {
  Finding finding;
  finding.object = Object::vcpu;
  for (const Vcpu& vcpu : model.vcpus())
    if (vcpu.fields.get(model.kvm().layout().vcpu().vcpu_id) == root.vcpu)
      finding.address = vcpu.address;
  finding.text = fmt::format("root {} {}", root.name(), said);
  if (root.page) finding.page = *root.page;
  // Which page the slot held before is not known.
  finding.wide = true;
  return finding;
}

// A CR3 outside every memslot gives a root of zeros, without a shadow page.
bool is_dummy(const Model& model, const Root& root) {
  const Table table = read_table(model.kvm().kernel().physical(), root.hpa);
  return std::ranges::all_of(table, [](std::uint64_t entry) { return entry == 0; });
}

void check_pages(const Model& model, Report& report) {
  for (const Root& root : model.roots()) {
    if (!root.valid || root.special || root.page) continue;
    if (root.lost) {
      if (root.lost->kind() == ErrorKind::corrupt)
        report.add(
            about_root(model, root,
                       fmt::format("has hpa {:#x}, but {}", root.hpa.value, root.lost->message())));
      continue;
    }
    model.attempt([&] {
      if (!is_dummy(model, root))
        report.add(about_root(
            model, root,
            fmt::format("has hpa {:#x}, where no shadow page has its table", root.hpa.value)));
    });
  }
}

// ---- counts

std::uint64_t references(const Model& model, const Node& node) {
  const auto found = model.references().find(node.page.address.value);
  return found != model.references().end() ? found->second : 0;
}

void check_count(const Model& model, const Node& node, Report& report) {
  if (node.page.tdp_mmu) return;
  const std::uint64_t held = references(model, node);
  if (node.page.root_count != static_cast<std::int64_t>(held))
    report.add(about(node, fmt::format("has root_count {}, but {} root slots hold it",
                                       node.page.root_count, held)));
}

void check_tdp_count(const Model& model, const Node& node, Report& report) {
  if (!node.page.tdp_mmu) return;
  const std::uint64_t held = references(model, node);
  // The TDP MMU and whoever walks its roots hold them, too.
  if (node.page.root_count < static_cast<std::int64_t>(held))
    report.add(about(node, fmt::format("has tdp_mmu_root_count {}, but {} root slots hold it",
                                       node.page.root_count, held)));
}

// ---- previous roots

void check_previous(const Model& model, Report& report) {
  using Key = std::tuple<std::uint64_t, MmuKind, std::uint64_t, std::uint32_t>;
  std::map<Key, const Root*> met;
  for (const Root& root : model.roots()) {
    if (!root.valid || root.pae) continue;
    if (root.prev && root.special)
      report.add(about_root(model, root, "is a table without a shadow page, which is never kept"));
    if (!root.page) continue;
    if (root.prev && root.level < 4)
      report.add(about_root(model, root,
                            fmt::format("is of level {}: only those of levels 4 and 5 "
                                        "are kept",
                                        root.level)));
    // A direct one serves whatever the guest's CR3 is.
    const std::uint64_t pgd = root.direct ? 0 : root.pgd.value_or(root.hpa.value);
    const auto [first, fresh] =
        met.try_emplace({root.vcpu, root.mmu, pgd, root.page->role.word}, &root);
    if (!fresh)
      report.add(about_root(model, root,
                            fmt::format("has pgd {:#x} and role {:#x}, as {} has", pgd,
                                        root.page->role.word, first->second->name())));
  }
}

// ---- CR3

// A table is a frame; what stands below are flags and the PCID.
bool same_table(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t no_flush = 1ULL << 63;
  return (a & ~no_flush) >> page_shift == (b & ~no_flush) >> page_shift;
}

const Root* current_root(const Model& model, std::uint64_t vcpu_id) {
  for (const Root& root : model.roots())
    if (root.vcpu == vcpu_id && root.mmu == MmuKind::root_mmu && root.is_active_mmu && !root.prev &&
        !root.pae && root.valid)
      return &root;
  return nullptr;
}

void check_cr3(const Model& model, Report& report) {
  const Layout& layout = model.kvm().layout();
  for (const Vcpu& vcpu : model.vcpus())
    model.attempt([&] {
      const std::uint64_t requests = vcpu.fields.get(layout.vcpu().requests);
      if (request::is_pending(requests, request::mmu_sync) ||
          request::is_pending(requests, request::load_mmu_pgd))
        return;
      const StructCopy mmu(layout.mmu(), model.kvm().memory(),
                           vcpu.fields.address_of(layout.vcpu().root_mmu));
      const Role role =
          decode_role(layout.role(), static_cast<std::uint32_t>(mmu.get(layout.mmu().root_role)));
      const Root* root = current_root(model, vcpu.fields.get(layout.vcpu().vcpu_id));
      if (role.direct || role.guest_mode || root == nullptr || !root->pgd) return;
      const std::uint64_t cr3 = vcpu.fields.get(layout.vcpu().cr3);
      if (!same_table(*root->pgd, cr3))
        report.add(about_root(model, *root,
                              fmt::format("is of pgd {:#x}, but the guest's CR3 is "
                                          "{:#x}",
                                          *root->pgd, cr3)));
    });
}

std::string while_shadowing(const Model& model) {
  if (model.kvm().flag("tdp_enabled")) return "with TDP the guest's CR3 has no root of its own";
  return without_member(model.kvm().layout().mmu().root_pgd, "pgd of its current root");
}

}  // namespace

std::vector<Rule> root_rules() {
  return {
      {.name = "root-page",
       .what = "the hpa of each root slot is the table of a shadow page, a table of the vCPU's own "
               "(pae_root and the like), or zeros (a CR3 outside all memslots)",
       .when = "",
       .source = "mmu_alloc_direct_roots, mmu_alloc_shadow_roots, root_to_sp",
       .breaks = {"root-count"},
       .reads = part::lists | part::roots,
       .check = check_pages},
      {.name = "root-count",
       .what =
           "root_count is the number of root slots and entries of PAE tables that hold the page",
       .when = "shadow pages",
       .source = "mmu_alloc_root, mmu_free_root_page",
       .breaks = {"used-pages"},
       .reads = part::lists | part::roots,
       .whole = part::roots,
       .page = check_count},
      {.name = "tdp-root-count",
       .what = "tdp_mmu_root_count is at least the number of root slots that hold the page",
       .when = "VMs with the TDP MMU",
       .source = "kvm_tdp_mmu_get_root, kvm_tdp_mmu_put_root",
       .breaks = {"tdp-roots"},
       .reads = part::lists | part::roots,
       .whole = part::roots,
       .excuse = in_tdp_mmu_only,
       .page = check_tdp_count},
      {.name = "prev-roots",
       .what =
           "previous roots are shadow pages of level 4 or 5, and no two slots of an mmu hold the "
           "same pgd in the same role",
       .when = "",
       .source = "fast_pgd_switch, cached_root_find_and_keep_current",
       .breaks = {"root-count"},
       .reads = part::lists | part::roots,
       .check = check_previous},
      {.name = "root-cr3",
       .what = "the current root is that of the guest's CR3",
       .when = "shadow paging, not in L2, no MMU_SYNC or LOAD_MMU_PGD pending",
       .source = "kvm_mmu_new_pgd, kvm_mmu_load",
       .reads = part::lists | part::roots,
       .excuse = while_shadowing,
       .check = check_cr3},
  };
}

}  // namespace kvmscope::kvm::audit
