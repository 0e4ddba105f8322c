// Where KVM keeps each thing that kvmscope reads, newest kernel first. An older
// spelling names the commit that ended it where it is known, so that it is clear
// when it may be dropped. This is the one place to touch when a member is renamed.
#pragma once

#include <optional>
#include <vector>

#include "core/kernel/fields.hpp"
#include "core/kvm/audit_layout.hpp"
#include "core/kvm/svm_layout.hpp"

namespace kvmscope::kvm {

// struct kvm, include/linux/kvm_host.h, with struct kvm_arch, asm/kvm_host.h.
struct VmFields : FieldGroup {
  explicit VmFields(const Types& types) : FieldGroup(types, "struct kvm") {}
  Field mm = field({"mm"});
  Field vm_list = field({"vm_list"});
  Field online_vcpus = field({"online_vcpus.counter"});
  Field vcpus = place({
      "vcpu_array",
      "vcpus",  // a plain array until c5b077549136 (v5.17)
  });
  // One pointer per address space.
  Field memslots = field({"memslots"});
  Field userspace_pid = field({"userspace_pid"});
  Field debugfs_dentry = optional({"debugfs_dentry"});
  Field used_pages = field({
      "stat.mmu_shadow_pages", "stat.generic.mmu_shadow_pages",
      "arch.n_used_mmu_pages",  // until v6.19
  });
  Field max_pages = field({"arch.n_max_mmu_pages"});
  // These only grow: with used_pages they show that the set of shadow pages has changed. Read only
  // while the kernel runs.
  Field pages_created = optional_place({"stat.mmu_cache_miss"});
  Field pages_zapped = optional_place({"stat.mmu_shadow_zapped"});
  Field active_pages = place({"arch.active_mmu_pages"});
  // An array of hlist_head; a pointer to one, NULL while it is empty, since v6.16.
  Field page_hash = place({"arch.mmu_page_hash"});
  Field valid_gen = optional({"arch.mmu_valid_gen"});  // absent in v5.1 to v5.3
  Field invalidate_seq = field({
      "mmu_invalidate_seq",
      "mmu_notifier_seq",  // until 20ec3ebd707c (v6.1)
  });
  Field invalidate_in_progress = field({
      "mmu_invalidate_in_progress",
      "mmu_notifier_count",  // until 20ec3ebd707c (v6.1)
  });
  // User addresses; gfns since v6.9.
  Field invalidate_start = optional({
      "mmu_invalidate_range_start",
      "mmu_notifier_range_start",  // until 20ec3ebd707c (v6.1); since v5.12
  });
  Field invalidate_end = optional({"mmu_invalidate_range_end", "mmu_notifier_range_end"});
  // A global of kvm.ko since 1f98f2bd8eab (v6.3).
  Field tdp_mmu_enabled = optional({"arch.tdp_mmu_enabled"});
  Field tdp_mmu_roots = optional_place({"arch.tdp_mmu_roots"});  // since v5.10
  Field vm_type = optional({"arch.vm_type"});                    // KVM_X86_*_VM, since v6.8
  // A global of kvm.ko until v6.10.
  Field shadow_mmio_value = optional({"arch.shadow_mmio_value"});
};

// struct kvm_vcpu, include/linux/kvm_host.h, with struct kvm_vcpu_arch, asm/kvm_host.h.
struct VcpuFields : FieldGroup {
  explicit VcpuFields(const Types& types) : FieldGroup(types, "struct kvm_vcpu") {}
  Field kvm = field({"kvm"});
  Field cpu = field({"cpu"});
  Field vcpu_id = field({"vcpu_id"});
  Field vcpu_idx = optional({"vcpu_idx"});  // before v5.4 the place in kvm->vcpus
  Field mode = field({"mode"});
  Field requests = field({"requests"});
  Field pid = field({"pid"});
  Field mp_state = field({"arch.mp_state"});
  // Points to root_mmu or guest_mmu; an embedded struct before v5.0.
  Field mmu = field({"arch.mmu"});
  Field root_mmu = place({
      "arch.root_mmu",
      "arch.mmu",  // until 14c07ad89f4d (v5.0)
  });
  Field guest_mmu = optional_place({"arch.guest_mmu"});  // since v5.0
  // How guest virtual addresses are walked: to root_mmu, or nested_mmu while a nested guest runs.
  Field walk_mmu = optional({"arch.walk_mmu"});  // until v6.19
  Field guest_reserved = optional_place({"arch.gva_walk.fmt.rsvd_bits_mask"});
  Field pdptrs = optional({"arch.pdptrs"});
  Field regs = field({"arch.regs"});   // by enum kvm_reg
  Field rip = optional({"arch.rip"});  // the last of regs until v6.19
  Field cr0 = field({"arch.cr0"});
  Field cr2 = field({"arch.cr2"});
  Field cr3 = field({"arch.cr3"});
  Field cr4 = field({"arch.cr4"});
  Field cr8 = optional({"arch.cr8"});
  Field efer = field({"arch.efer"});
  Field regs_avail = field({"arch.regs_avail"});
  Field protected_state = optional({"arch.guest_state_protected"});  // SEV-ES, TDX; since v5.11
  // What an empty entry of a shadow page holds; 0 before v6.10.
  Field empty_spte = optional({"arch.mmu_shadow_page_cache.init_value"});
};

// struct kvm_mmu, asm/kvm_host.h.
struct MmuFields : FieldGroup {
  explicit MmuFields(const Types& types) : FieldGroup(types, "struct kvm_mmu") {}
  Field root_hpa = field({
      "root.hpa",
      "root_hpa",  // until b9e5603c2a3a (v5.18)
  });
  // v4.19 keeps no copy of the guest's CR3 here.
  Field root_pgd = optional({
      "root.pgd",
      "root_pgd",  // until b9e5603c2a3a (v5.18)
      "root_cr3",  // until be01e8e2c632 (v5.8)
  });
  Field root_role = field({
      "root_role.word",
      "mmu_role.base.word",  // until v5.19
      "base_role.word",      // until v5.0
  });
  Field prev_roots = field({"prev_roots"});
  Field pae_root = field({"pae_root"});
  Field pml4_root = field({
      "pml4_root",
      "lm_root",  // until 03ca4589fabc (v5.13)
  });
  Field pml5_root = optional({"pml5_root"});  // since v5.16
  // Of the guest's tables: by bit 7 of an entry, then by level from 1. Until v6.19, as pdptrs.
  Field guest_reserved = optional_place({"guest_rsvd_check.rsvd_bits_mask"});
  Field pdptrs = optional({"pdptrs"});
};

// struct kvm_mmu_root_info, asm/kvm_host.h.
struct RootInfoFields : FieldGroup {
  explicit RootInfoFields(const Types& types) : FieldGroup(types, "struct kvm_mmu_root_info") {}
  Field pgd = field({
      "pgd",
      "cr3",  // until be01e8e2c632 (v5.8)
  });
  Field hpa = field({"hpa"});
};

// struct kvm_mmu_page, arch/x86/kvm/mmu/mmu_internal.h (asm/kvm_host.h until v5.5).
struct PageFields : FieldGroup {
  explicit PageFields(const Types& types) : FieldGroup(types, "struct kvm_mmu_page") {}
  Field link = field({"link"});
  Field hash_link = field({"hash_link"});
  Field tdp_mmu_page = optional({"tdp_mmu_page"});  // since v5.10
  Field unsync = field({"unsync"});
  Field valid_gen = optional({"mmu_valid_gen"});  // absent in v5.1 to v5.3
  Field nx_huge_page_disallowed = optional({
      "nx_huge_page_disallowed",
      "lpage_disallowed",  // until 55c510e26ab6 (v6.2); since v5.4
  });
  Field nx_link = optional_place({
      "possible_nx_huge_page_link",
      "lpage_disallowed_link",  // until 55c510e26ab6 (v6.2); since v5.4
  });
  Field role = field({"role.word"});
  Field gfn = field({"gfn"});
  Field spt = field({"spt"});
  // gfn << 12 | access, one per entry.
  Field shadowed_translation = optional({"shadowed_translation"});
  Field gfns = optional({"gfns"});  // plain gfns, until 6a97575d5c88 (v6.0)
  Field root_count = field({"root_count"});
  Field tdp_root_count = optional({"tdp_mmu_root_count.refs.counter"});  // since v5.15
  Field unsync_children = field({"unsync_children"});
  Field parent_ptes = field({"parent_ptes.val"});
  Field ptep = optional({"ptep"});  // the parent's entry of a TDP MMU page, since v5.15
  Field unsync_child_bitmap = field({"unsync_child_bitmap"});
};

// union kvm_mmu_page_role, asm/kvm_host.h: bits of one 32-bit word.
struct RoleFields : FieldGroup {
  explicit RoleFields(const Types& types) : FieldGroup(types, "union kvm_mmu_page_role") {}
  Field word = field({"word"});
  Field level = field({"level"});
  Field has_4_byte_gpte = optional({"has_4_byte_gpte"});
  // The inverse, until bb3b394d35e8 (v5.19).
  Field has_8_byte_gpte = optional({
      "gpte_is_8_bytes",
      "cr4_pae",  // until 47c42e6b4192 (v5.2)
  });
  Field quadrant = field({"quadrant"});
  Field direct = field({"direct"});
  Field access = field({"access"});
  Field invalid = field({"invalid"});
  Field efer_nx = field({
      "efer_nx",
      "nxe",  // until 167f8a5cae99 (v5.14)
  });
  Field ad_disabled = field({"ad_disabled"});
  Field guest_mode = field({"guest_mode"});
  Field passthrough = optional({"passthrough"});  // since v5.19
  Field smm = field({"smm"});
};

// struct kvm_memslots, include/linux/kvm_host.h: an rbtree of slots since
// a54d806688fe (v5.17), a sorted array before.
struct MemslotsFields : FieldGroup {
  explicit MemslotsFields(const Types& types) : FieldGroup(types, "struct kvm_memslots") {}
  Field generation = field({"generation"});
  Field gfn_tree = optional_place({"gfn_tree"});
  Field node_idx = optional({"node_idx"});
  Field used_slots = optional({"used_slots"});
  Field memslots = optional_place({"memslots"});
};

// struct kvm_memory_slot, include/linux/kvm_host.h.
struct MemslotFields : FieldGroup {
  explicit MemslotFields(const Types& types) : FieldGroup(types, "struct kvm_memory_slot") {}
  Field gfn_node = optional_place({"gfn_node"});  // one per set of slots, since v5.17
  Field base_gfn = field({"base_gfn"});
  Field npages = field({"npages"});
  Field userspace_addr = field({"userspace_addr"});
  Field flags = field({"flags"});
  Field id = field({"id"});
};

// The same struct's arch, struct kvm_arch_memory_slot, asm/kvm_host.h: pointers to arrays.
struct MemslotArchFields : FieldGroup {
  explicit MemslotArchFields(const Types& types) : FieldGroup(types, "struct kvm_memory_slot") {}
  Field base_gfn = field({"base_gfn"});
  Field npages = field({"npages"});
  Field rmap = field({"arch.rmap"});              // of level 1, 2…
  Field lpage_info = field({"arch.lpage_info"});  // of level 2, 3…
  Field gfn_track = optional({
      "arch.gfn_write_track",
      "arch.gfn_track",  // one per mode, until v6.6
  });
};

// struct kvm_lpage_info, asm/kvm_host.h.
struct LpageInfoFields : FieldGroup {
  explicit LpageInfoFields(const Types& types) : FieldGroup(types, "struct kvm_lpage_info") {}
  Field disallow_lpage = field({"disallow_lpage"});
};

// struct pte_list_desc, arch/x86/kvm/mmu/mmu.c: a chunk of a list of SPTE addresses.
struct PteListFields : FieldGroup {
  explicit PteListFields(const Types& types) : FieldGroup(types, "struct pte_list_desc") {}
  Field more = field({"more"});
  Field sptes = field({"sptes"});
  Field spte_count = optional({"spte_count"});  // since v5.14; before, a NULL ends the chunk
  Field tail_count = optional({"tail_count"});  // entries of the chunks behind, since v6.4
};

// struct page, include/linux/mm_types.h.
struct PageStructFields : FieldGroup {
  explicit PageStructFields(const Types& types) : FieldGroup(types, "struct page") {}
  Field private_data = field({"private"});
};

// struct dentry, include/linux/dcache.h.
struct DentryFields : FieldGroup {
  explicit DentryFields(const Types& types) : FieldGroup(types, "struct dentry") {}
  Field name = optional({
      "__d_name.name",
      "d_name.name",  // until v6.16
  });
};

// struct xarray, struct xa_node, include/linux/xarray.h.
struct XarrayFields : FieldGroup {
  explicit XarrayFields(const Types& types) : FieldGroup(types, "struct xarray") {}
  Field head = optional_place({"xa_head"});  // since v4.20; vCPUs are in one since v5.17
};
struct XaNodeFields : FieldGroup {
  explicit XaNodeFields(const Types& types) : FieldGroup(types, "struct xa_node") {}
  Field shift = field({"shift"});
  Field slots = place({"slots"});
};

// All of it, each group resolved when it is first used.
class Layout {
 public:
  // Keeps a reference.
  explicit Layout(const Types& types) : types_(types) {}

  const VmFields& vm() const { return get(vm_); }
  const VmAuditFields& vm_audit() const { return get(vm_audit_); }
  const VcpuFields& vcpu() const { return get(vcpu_); }
  const MmuFields& mmu() const { return get(mmu_); }
  const MmuCheckFields& mmu_check() const { return get(mmu_check_); }
  const RootInfoFields& root_info() const { return get(root_info_); }
  const PageFields& page() const { return get(page_); }
  const RoleFields& role() const { return get(role_); }
  const MemslotsFields& memslots() const { return get(memslots_); }
  const MemslotFields& memslot() const { return get(memslot_); }
  const MemslotArchFields& memslot_arch() const { return get(memslot_arch_); }
  const LpageInfoFields& lpage_info() const { return get(lpage_info_); }
  const PteListFields& pte_list() const { return get(pte_list_); }
  const PercpuCounterFields& percpu_counter() const { return get(percpu_counter_); }
  const PageStructFields& page_struct() const { return get(page_struct_); }
  const DentryFields& dentry() const { return get(dentry_); }
  const XarrayFields& xarray() const { return get(xarray_); }
  const XaNodeFields& xa_node() const { return get(xa_node_); }
  const SvmVmFields& svm_vm() const { return get(svm_vm_); }
  const SvmVcpuFields& svm_vcpu() const { return get(svm_vcpu_); }
  const VmcbFields& vmcb() const { return get(vmcb_); }

  // Every group, for `layout`: resolves them all.
  std::vector<const FieldGroup*> groups() const;

 private:
  template <typename Group>
  const Group& get(std::optional<Group>& group) const {
    if (!group) group.emplace(types_);
    return *group;
  }

  const Types& types_;
  mutable std::optional<VmFields> vm_;
  mutable std::optional<VmAuditFields> vm_audit_;
  mutable std::optional<VcpuFields> vcpu_;
  mutable std::optional<MmuFields> mmu_;
  mutable std::optional<MmuCheckFields> mmu_check_;
  mutable std::optional<RootInfoFields> root_info_;
  mutable std::optional<PageFields> page_;
  mutable std::optional<RoleFields> role_;
  mutable std::optional<MemslotsFields> memslots_;
  mutable std::optional<MemslotFields> memslot_;
  mutable std::optional<MemslotArchFields> memslot_arch_;
  mutable std::optional<LpageInfoFields> lpage_info_;
  mutable std::optional<PteListFields> pte_list_;
  mutable std::optional<PercpuCounterFields> percpu_counter_;
  mutable std::optional<PageStructFields> page_struct_;
  mutable std::optional<DentryFields> dentry_;
  mutable std::optional<XarrayFields> xarray_;
  mutable std::optional<XaNodeFields> xa_node_;
  mutable std::optional<SvmVmFields> svm_vm_;
  mutable std::optional<SvmVcpuFields> svm_vcpu_;
  mutable std::optional<VmcbFields> vmcb_;
};

}  // namespace kvmscope::kvm
