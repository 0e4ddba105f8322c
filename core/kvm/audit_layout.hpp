// Where KVM keeps what only an audit reads: counts and lists to hold others against.
#pragma once

#include "core/kernel/fields.hpp"

namespace kvmscope::kvm {

// struct kvm, include/linux/kvm_host.h, with struct kvm_arch, asm/kvm_host.h.
struct VmAuditFields : FieldGroup {
  explicit VmAuditFields(const Types& types) : FieldGroup(types, "struct kvm") {}
  Field mm = field({"mm"});  // so that there is something to copy in every kernel
  Field mmu_lock = optional({
      "mmu_lock.raw_lock.cnts.counter",       // an rwlock_t since 531810caa9f4 (v5.12)
      "mmu_lock.rlock.raw_lock.val.counter",  // a spinlock_t before
  });
  Field unsync_pages = optional({"stat.mmu_unsync"});
  Field nx_splits = optional({"stat.nx_lpage_splits"});
  Field indirect_pages = optional({"arch.indirect_shadow_pages"});
  Field zapped_pages = optional_place({"arch.zapped_obsolete_pages"});  // until v6.13
  Field nx_pages = optional_place({
      "arch.possible_nx_huge_pages[0].pages",
      "arch.possible_nx_huge_pages",      // one list for both MMUs until v6.18
      "arch.lpage_disallowed_mmu_pages",  // until 55c510e26ab6 (v6.2)
  });
  Field nx_tdp_pages = optional_place({"arch.possible_nx_huge_pages[1].pages"});
  // Of the TDP MMU, without its roots: a list until d25ceb926436 (v6.3), then a number.
  Field tdp_pages = optional_place({"arch.tdp_mmu_pages.next"});
  Field tdp_page_count = optional({"arch.tdp_mmu_pages.counter"});
};

// struct kvm_mmu, asm/kvm_host.h: which bits SPTEs must not have, as in struct rsvd_bits_validate,
// asm/kvm_host.h.
struct MmuCheckFields : FieldGroup {
  explicit MmuCheckFields(const Types& types) : FieldGroup(types, "struct kvm_mmu") {}
  // [whether bit 7 is set][level - 1]
  Field reserved_bits = optional({"shadow_zero_check.rsvd_bits_mask", "fmt.rsvd_bits_mask"});
  // A bit for each value of an entry's lowest 6 bits.
  Field bad_low_bits = optional({"shadow_zero_check.bad_mt_xwr", "fmt.bad_mt_xwr"});
};

// struct percpu_counter, include/linux/percpu_counter.h.
struct PercpuCounterFields : FieldGroup {
  explicit PercpuCounterFields(const Types& types) : FieldGroup(types, "struct percpu_counter") {}
  Field count = optional({"count"});
  Field counters = optional({"counters"});
};

}  // namespace kvmscope::kvm
