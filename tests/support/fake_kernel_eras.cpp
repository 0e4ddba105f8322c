#include "tests/support/fake_kernel_eras.hpp"

#include "tests/support/fake_kernel_declarations.hpp"

namespace kvmscope {
namespace {

struct Declaration {
  Era first;
  Era last;
  std::string_view text;
};

using enum Era;
constexpr Era oldest = v4_19;
constexpr Era newest = v7_3;

// What is embedded comes before what embeds it.
constexpr Declaration declarations[] = {
    // ---- the kernel at large
    {oldest, newest, R"(
       struct rb_node { unsigned long parent_color; struct rb_node *rb_right, *rb_left; };
       struct rb_root { struct rb_node *rb_node; };
       struct page { unsigned long flags;
                     struct { union { struct list_head lru; void *freelist; };
                              void *mapping; unsigned long index; unsigned long private; };
                     int refs; int kinds; unsigned long memcg; };
       struct css_set { u64 refs; struct cgroup *dfl_cgrp; };
       struct cgroup { u64 flags; struct kernfs_node *kn; };
       struct vm_userfaultfd_ctx { void *ctx; };
       struct upid { int nr; void *ns; };
       struct mod_kallsyms { void *symtab; unsigned num_symtab; char *strtab; char *typetab; };)"},
    {oldest, v5_15, R"(struct mm_struct { u64 users; struct rb_root mm_rb; void *pgd; u64 map_count;
                                          struct task_struct *owner; };
       struct vm_area_struct { unsigned long vm_start, vm_end; void *vm_next, *vm_prev;
         struct rb_node vm_rb; struct mm_struct *vm_mm; unsigned long vm_flags;
         struct vm_userfaultfd_ctx vm_userfaultfd_ctx; };)"},
    {v6_1, newest, R"(struct maple_tree { unsigned lock; unsigned ma_flags; void *ma_root; };
       struct mm_struct { u64 users; struct maple_tree mm_mt; void *pgd; u64 map_count;
                          struct task_struct *owner; };
       struct vm_area_struct { unsigned long vm_start, vm_end; struct mm_struct *vm_mm;
         unsigned long vm_flags; struct vm_userfaultfd_ctx vm_userfaultfd_ctx; };
       struct maple_range_64 { void *parent; unsigned long pivot[15]; void *slot[16]; };
       struct maple_arange_64 { void *parent; unsigned long pivot[9]; void *slot[10];
                                unsigned long gap[10]; u8 end, gaps; };
       struct maple_node { union { struct maple_range_64 mr64; struct maple_arange_64 ma64; }; };)"},
    // xa_node is only declared in most kvm.ko files; 4.19 has no xarray at all.
    {v5_4, newest, "struct xarray { unsigned lock; unsigned flags; void *xa_head; };"},
    {v5_4, v5_4, R"(struct xa_node { void *parent; u8 shift; u8 offset; u8 count; u64 tags[3];
                                     void *slots[64]; };)"},
    {v6_12, v6_12, "struct xa_node { u8 shift, offset, count; void *slots[16]; u64 marks[3]; };"},
    {oldest, v5_10, R"(struct task_struct { long state; int exit_state; char comm[16]; int pid;
         int tgid; void *cgroups; struct hlist_node pid_links[4]; };)"},
    {v5_15, newest, R"(struct task_struct { unsigned __state; u64 on_cpu; char comm[16]; int pid;
         int tgid; u64 pad[300]; struct hlist_node pid_links[4]; int exit_state; void *cgroups; };)"},
    {oldest, v6_1,
     "struct pid { int count; struct hlist_head tasks[4]; struct upid numbers[1]; };"},
    {v6_6, newest, "struct pid { int count; struct hlist_head tasks[4]; struct upid numbers[]; };"},
    {oldest, v6_12, R"(struct kernfs_node { int count; struct kernfs_node *parent; char *name; };
         struct dentry { u64 flags; struct { u64 hash_len; char *name; } d_name; };)"},
    {v6_18, newest, R"(struct kernfs_node { int count; char *name; struct kernfs_node *__parent; };
         struct dentry { u64 flags; union { struct { u64 hash_len; char *name; } __d_name; }; };)"},
    {oldest, v6_1, R"(struct module { int state; struct list_head list; char name[56];
         struct { void *base; unsigned size, text_size, ro_size; } core_layout;
         struct mod_kallsyms *kallsyms; };)"},
    {v6_6, newest, R"(struct module { int state; struct list_head list; char name[56];
         struct { void *base; unsigned size; u64 tree[7]; } mem[7];
         struct mod_kallsyms *kallsyms; };)"},

    // ---- shadow pages
    {v4_19, v4_19, R"(union kvm_mmu_page_role { u32 word; struct { unsigned level:4, cr4_pae:1,
         quadrant:2, direct:1, access:3, invalid:1, nxe:1, cr0_wp:1, smep_andnot_wp:1,
         smap_andnot_wp:1, ad_disabled:1, guest_mode:1, :6, smm:8; }; };)"},
    {v5_4, v5_10, R"(union kvm_mmu_page_role { u32 word; struct { unsigned level:4,
         gpte_is_8_bytes:1, quadrant:2, direct:1, access:3, invalid:1, nxe:1, cr0_wp:1,
         smep_andnot_wp:1, smap_andnot_wp:1, ad_disabled:1, guest_mode:1, :6, smm:8; }; };)"},
    {v5_15, v5_15, R"(union kvm_mmu_page_role { u32 word; struct { unsigned level:4,
         gpte_is_8_bytes:1, quadrant:2, direct:1, access:3, invalid:1, efer_nx:1, cr0_wp:1,
         smep_andnot_wp:1, smap_andnot_wp:1, ad_disabled:1, guest_mode:1, :6, smm:8; }; };)"},
    {v6_1, v6_18, R"(union kvm_mmu_page_role { u32 word; struct { unsigned level:4,
         has_4_byte_gpte:1, quadrant:2, direct:1, access:3, invalid:1, efer_nx:1, cr0_wp:1,
         smep_andnot_wp:1, smap_andnot_wp:1, ad_disabled:1, guest_mode:1, passthrough:1, :5,
         smm:8; }; };)"},
    {v7_3, newest, R"(union kvm_mmu_page_role { u32 word; struct { unsigned level:4,
         has_4_byte_gpte:1, quadrant:2, direct:1, access:4, invalid:1, efer_nx:1, cr0_wp:1,
         smap_andnot_wp:1, ad_disabled:1, guest_mode:1, passthrough:1, is_mirror:1, cr4_smep:1,
         :3, smm:8; }; };)"},
    {v4_19, v4_19, R"(struct kvm_mmu_page { struct list_head link; struct hlist_node hash_link;
         u64 gfn; union kvm_mmu_page_role role; u64 *spt; u64 *gfns; bool unsync; int root_count;
         unsigned unsync_children; struct { unsigned long val; } parent_ptes;
         unsigned long mmu_valid_gen; unsigned long unsync_child_bitmap[8]; };)"},
    {v5_4, v5_10, R"(struct kvm_mmu_page { struct list_head link; struct hlist_node hash_link;
         bool unsync; u8 mmu_valid_gen; bool mmio_cached, lpage_disallowed;
         union kvm_mmu_page_role role; u64 gfn; u64 *spt; u64 *gfns; int root_count;
         unsigned unsync_children; struct { unsigned long val; } parent_ptes;
         unsigned long unsync_child_bitmap[8];)"},
    {v5_10, v5_10, "bool tdp_mmu_page;"},
    {v5_4, v5_10, "};"},
    {v5_15, v5_15, R"(struct kvm_mmu_page { struct list_head link; struct hlist_node hash_link;
         bool unsync; u8 mmu_valid_gen; bool lpage_disallowed; union kvm_mmu_page_role role;
         u64 gfn; u64 *spt; u64 *gfns;
         union { int root_count; struct { struct { int counter; } refs; } tdp_mmu_root_count; };
         unsigned unsync_children; union { struct { unsigned long val; } parent_ptes; u64 *ptep; };
         unsigned long unsync_child_bitmap[8]; bool tdp_mmu_page; };)"},
    {v6_1, v6_12, R"(struct kvm_mmu_page { struct list_head link; struct hlist_node hash_link;
         bool tdp_mmu_page, unsync;
         union { u8 mmu_valid_gen; bool tdp_mmu_scheduled_root_to_zap; };)"},
    {v6_1, v6_1, "bool lpage_disallowed;"},
    {v6_6, v6_12, "bool nx_huge_page_disallowed;"},
    {v6_1, v6_12, R"(union kvm_mmu_page_role role; u64 gfn; u64 *spt; u64 *shadowed_translation;
         union { int root_count; struct { struct { int counter; } refs; } tdp_mmu_root_count; };
         unsigned unsync_children; union { struct { unsigned long val; } parent_ptes; u64 *ptep; };
         union { unsigned long unsync_child_bitmap[8]; u64 tdp_mmu_async_work[5]; }; };)"},
    {v6_18, newest, R"(struct kvm_mmu_page { struct list_head link; struct hlist_node hash_link;
         bool tdp_mmu_page, unsync;
         union { u8 mmu_valid_gen; bool tdp_mmu_scheduled_root_to_zap; };
         bool nx_huge_page_disallowed; union kvm_mmu_page_role role; u64 gfn; u64 *spt;
         u64 *shadowed_translation;
         union { int root_count; struct { struct { int counter; } refs; } tdp_mmu_root_count; };
         bool has_mapped_host_mmio;
         union { struct { unsigned unsync_children; int write_flooding_count; };
                 void *external_spt; };
         union { struct { struct { long counter; } val; } parent_ptes; u64 *ptep; };
         unsigned long unsync_child_bitmap[8]; };)"},
    {oldest, v5_10, "struct pte_list_desc { u64 *sptes[3]; struct pte_list_desc *more; };"},
    {v5_15, v6_1,
     "struct pte_list_desc { struct pte_list_desc *more; u64 spte_count; u64 *sptes[14]; };"},
    {v6_6, newest, R"(struct pte_list_desc { struct pte_list_desc *more; u32 spte_count, tail_count;
         u64 *sptes[14]; };)"},

    // ---- struct kvm_mmu
    {oldest, v5_4, "struct kvm_mmu_root_info { u64 cr3; u64 hpa; };"},
    {v5_10, newest, "struct kvm_mmu_root_info { u64 pgd; u64 hpa; };"},
    {v5_4, v5_15, R"(union kvm_mmu_role { u64 as_u64;
         struct { union kvm_mmu_page_role base; union { u32 word; } ext; }; };)"},
    {v6_1, newest, R"(union kvm_cpu_role { u64 as_u64;
         struct { union kvm_mmu_page_role base; union { u32 word; } ext; }; };)"},
    {v4_19, v4_19, R"(struct kvm_mmu { void *get_cr3; u64 root_hpa;
         union kvm_mmu_page_role base_role; u8 root_level, shadow_root_level, ept_ad;
         bool direct_map; struct kvm_mmu_root_info prev_roots[3]; u64 *pae_root; u64 *lm_root; };)"},
    {v5_4, v5_4, R"(struct kvm_mmu { void *get_cr3; u64 root_hpa; u64 root_cr3;
         union kvm_mmu_role mmu_role; u8 root_level, shadow_root_level, ept_ad; bool direct_map;
         struct kvm_mmu_root_info prev_roots[3]; u64 *pae_root; u64 *lm_root; };)"},
    {v5_10, v5_10, R"(struct kvm_mmu { void *get_guest_pgd; u64 root_hpa; u64 root_pgd;
         union kvm_mmu_role mmu_role; u8 root_level, shadow_root_level, ept_ad; bool direct_map;
         struct kvm_mmu_root_info prev_roots[3]; u64 *pae_root; u64 *lm_root; };)"},
    {v5_15, v5_15, R"(struct kvm_mmu { void *get_guest_pgd; u64 root_hpa; u64 root_pgd;
         union kvm_mmu_role mmu_role; u8 root_level, shadow_root_level, ept_ad; bool direct_map;
         struct kvm_mmu_root_info prev_roots[3]; u64 *pae_root; u64 *pml4_root; };)"},
    {v6_1, v6_12, R"(struct kvm_mmu { void *get_guest_pgd; struct kvm_mmu_root_info root;
         union kvm_cpu_role cpu_role; union kvm_mmu_page_role root_role;
         struct kvm_mmu_root_info prev_roots[3]; u64 *pae_root; u64 *pml4_root; u64 *pml5_root; };)"},
    {v6_18, v6_18, R"(struct kvm_mmu { void *get_guest_pgd; struct kvm_mmu_root_info root;
         u64 mirror_root_hpa; union kvm_cpu_role cpu_role; union kvm_mmu_page_role root_role;
         struct kvm_mmu_root_info prev_roots[3]; u64 *pae_root; u64 *pml4_root; u64 *pml5_root; };)"},
    {v7_3, newest, R"(struct kvm_mmu { void *sync_spte; void *w; struct kvm_mmu_root_info root;
         u64 mirror_root_hpa; union kvm_mmu_page_role root_role;
         struct kvm_mmu_root_info prev_roots[3]; u64 *pae_root; u64 *pml4_root; u64 *pml5_root; };)"},

    // ---- vCPUs
    {v4_19, v4_19, R"(struct kvm_vcpu { struct kvm *kvm; int cpu; int vcpu_id; int mode;
         u64 requests; void *pid; struct { u64 regs[17]; u32 regs_avail; u32 regs_dirty;
         unsigned long cr0, cr2, cr3, cr4; u64 efer; int mp_state; struct kvm_mmu mmu;
         struct kvm_mmu nested_mmu; struct kvm_mmu *walk_mmu; } arch;
         struct { u64 pf_fixed; u64 exits; } stat; };)"},
    {v5_4, v6_6, R"(struct kvm_vcpu { struct kvm *kvm; int cpu; int vcpu_id; int vcpu_idx; int mode;
         u64 requests; void *pid; struct { u64 regs[17]; u32 regs_avail; u32 regs_dirty;
         unsigned long cr0, cr2, cr3, cr4; u64 efer; struct kvm_mmu *mmu; struct kvm_mmu root_mmu;
         struct kvm_mmu guest_mmu; struct kvm_mmu nested_mmu; struct kvm_mmu *walk_mmu;
         u64 pad[200]; int mp_state; } arch;
         struct { struct { u64 halt_exits; u64 wait_hist[4]; } generic; u64 exits; } stat; };)"},
    {v6_12, newest, R"(struct kvm_vcpu { struct kvm *kvm; int cpu; int vcpu_id; int vcpu_idx;
         int mode; u64 requests; void *pid; struct { u64 regs[16]; u64 rip;)"},
    {v6_12, v6_18, "u32 regs_avail; u32 regs_dirty;"},
    {v7_3, newest, "unsigned long regs_avail[1]; unsigned long regs_dirty[1];"},
    {v6_12, newest, R"(unsigned long cr0, cr2, cr3, cr4; u64 efer; struct kvm_mmu *mmu;
         struct kvm_mmu root_mmu; struct kvm_mmu guest_mmu; u64 pad[200];
         struct { void *cache; u64 init_value; int nobjs; } mmu_shadow_page_cache;
         int mp_state; } arch;
         struct { struct { u64 halt_exits; u64 wait_hist[4]; } generic; u64 exits; } stat; };)"},

    // ---- memslots
    {oldest, newest, "struct kvm_lpage_info { int disallow_lpage; };"},
    {oldest, v6_1, R"(struct kvm_memory_slot { )"},
    {v6_1, v6_1, "struct { u64 node[2]; } hva_node[2]; struct rb_node gfn_node[2];"},
    {oldest, v6_1, R"(u64 base_gfn; unsigned long npages;
         struct { void *rmap[3]; void *lpage_info[2]; void *gfn_track[1]; } arch;
         unsigned long userspace_addr; u32 flags; short id; };)"},
    {v6_6, newest, R"(struct kvm_memory_slot { u64 hash[4]; struct rb_node gfn_node[2];
         struct { u64 node[2]; } hva_node[2]; u64 base_gfn; unsigned long npages;
         struct { void *rmap[3]; void *lpage_info[2]; void *gfn_write_track; } arch;
         unsigned long userspace_addr; u32 flags; short id;
         u16 as_id; };)"},
    {oldest, v5_4, R"(struct kvm_memslots { u64 generation; struct kvm_memory_slot memslots[40];
         short id_to_index[40]; int lru_slot; int used_slots; };)"},
    {v5_10, v5_15, R"(struct kvm_memslots { u64 generation; short id_to_index[40]; int lru_slot;
         int used_slots; struct kvm_memory_slot memslots[]; };)"},
    {v6_1, newest, R"(struct kvm_memslots { u64 generation; u64 last_used_slot;
         struct rb_root hva_tree; struct rb_root gfn_tree; u64 id_hash[128]; int node_idx; };)"},

    // ---- struct kvm
    {oldest, newest, "struct kvm { u64 lock; struct mm_struct *mm; void *memslots[2];"},
    {oldest, v5_15, "struct kvm_vcpu *vcpus[288];"},
    {v6_1, newest, "struct xarray vcpu_array;"},
    {oldest, newest, R"(struct { int counter; } online_vcpus; int created_vcpus;
         struct list_head vm_list;)"},
    {v7_3, newest, "struct { u64 mmu_flooded; u64 mmu_shadow_pages; } stat;"},
    {v4_19, v4_19, "struct { u64 mmu_flooded; u64 mmu_unsync; } stat;"},
    {v5_4, v6_18, R"(struct { u64 mmu_shadow_zapped; u64 mmu_flooded; u64 mmu_cache_miss;
         u64 mmu_unsync; } stat;)"},
    {oldest, v6_6, "struct { u64 mmu_page_hash[512];"},
    {v6_12, newest, "struct { u64 *mmu_page_hash;"},
    {v4_19, v4_19, "unsigned n_used_mmu_pages, n_requested_mmu_pages, n_max_mmu_pages;"},
    {v5_4, v6_18, "unsigned long n_used_mmu_pages, n_requested_mmu_pages, n_max_mmu_pages;"},
    {v7_3, newest, "unsigned long n_requested_mmu_pages, n_max_mmu_pages;"},
    {v4_19, v4_19, "unsigned long mmu_valid_gen;"},
    {v5_4, newest, "u8 mmu_valid_gen;"},
    {oldest, newest, "struct list_head active_mmu_pages;"},
    {v5_10, v6_1, "bool tdp_mmu_enabled;"},
    {v5_10, newest, "struct list_head tdp_mmu_roots;"},
    {v6_12, newest, "u64 shadow_mmio_value;"},
    {oldest, newest, "} arch;"},
    {oldest, v5_15, "unsigned long mmu_notifier_seq; long mmu_notifier_count;"},
    {v6_1, newest, "unsigned long mmu_invalidate_seq; long mmu_invalidate_in_progress;"},
    {oldest, newest, "struct dentry *debugfs_dentry; int userspace_pid; };"},
};

}  // namespace

std::string_view name(Era era) {
  constexpr std::array<std::string_view, all_eras.size()> names = {
      "v4_19", "v5_4", "v5_10", "v5_15", "v6_1", "v6_6", "v6_12", "v6_18", "v7_3"};
  return names[static_cast<std::size_t>(era)];
}

void declare_kernel(FakeTypes& types, Era era) {
  std::string text;
  for (const Declaration& declaration : declarations)
    if (declaration.first <= era && era <= declaration.last) text += declaration.text;
  declare(types, text);
  // asm/kvm_host.h; CR0 and CR4 are cached late since v5.7.
  std::vector<Enumerator> registers = {{"VCPU_REGS_RAX", 0}};
  if (era >= v5_10)
    registers.insert(registers.end(),
                     {{"VCPU_EXREG_CR0", 18}, {"VCPU_EXREG_CR3", 19}, {"VCPU_EXREG_CR4", 20}});
  else
    registers.push_back({"VCPU_EXREG_CR3", 18});
  types.enumeration("kvm_reg", registers);
}

}  // namespace kvmscope
