// The part of arch/x86/kvm/mmu/mmu.c that the unsync probes are about, small enough to compile in a
// test: the same names, the same shape, none of the work.
#pragma once

namespace kvmscope::tracing {

inline constexpr const char* small_mmu = R"(
typedef unsigned long long u64; typedef u64 gfn_t;
struct kvm { int users; };
struct kvm_vcpu { struct kvm *kvm; int cpu; int vcpu_id; };
union role { unsigned word; struct { unsigned level : 4; unsigned direct : 1; }; };
struct kvm_mmu_page {
  void *link[2]; char unsync; union role role; gfn_t gfn; unsigned unsync_children;
  unsigned long bitmap[8];
};
struct mmu_page_and_offset { struct kvm_mmu_page *sp; unsigned idx; };
struct kvm_mmu_pages { struct mmu_page_and_offset page[16]; unsigned nr; };
struct mmu_page_path { struct kvm_mmu_page *parent[5]; unsigned idx[5]; };
int __attribute__((noipa)) kvm_mmu_load(struct kvm_vcpu *vcpu) { return vcpu->cpu; }
struct kvm_mmu_page *next_child(struct kvm_mmu_page *sp, int i);
void prepare_zap_page(struct kvm *kvm, struct kvm_mmu_page *sp);
int sync_page(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp);

static void mmu_pages_add(struct kvm_mmu_pages *pvec, struct kvm_mmu_page *sp, int idx) {
  pvec->page[pvec->nr].sp = sp;
  pvec->page[pvec->nr].idx = idx;
  pvec->nr++;
}
static __attribute__((noinline)) int __mmu_unsync_walk(struct kvm_mmu_page *sp,
                                                       struct kvm_mmu_pages *pvec) {
  int found = 0;
  for (int i = 0; i < 512 && pvec->nr < 16; ++i) {
    struct kvm_mmu_page *child = next_child(sp, i);
    if (!child) continue;
    mmu_pages_add(pvec, child, i);
    found += child->unsync ? 1 : __mmu_unsync_walk(child, pvec);
  }
  return found;
}
static int mmu_unsync_walk(struct kvm_mmu_page *sp, struct kvm_mmu_pages *pvec) {
  pvec->nr = 0;
  if (!sp->unsync_children) return 0;
  mmu_pages_add(pvec, sp, -1);
  return __mmu_unsync_walk(sp, pvec);
}
static int mmu_pages_next(struct kvm_mmu_pages *pvec, struct mmu_page_path *parents, int i) {
  int n;
  for (n = i + 1; n < pvec->nr; n++) {
    struct kvm_mmu_page *sp = pvec->page[n].sp;
    int level = sp->role.level;
    parents->idx[level - 1] = pvec->page[n].idx;
    if (level == 1) break;
    parents->parent[level - 2] = sp;
  }
  return n;
}
static int mmu_pages_first(struct kvm_mmu_pages *pvec, struct mmu_page_path *parents) {
  if (pvec->nr == 0) return 0;
  struct kvm_mmu_page *sp = pvec->page[0].sp;
  parents->parent[sp->role.level - 2] = sp;
  parents->parent[sp->role.level - 1] = 0;
  return mmu_pages_next(pvec, parents, 0);
}
static __attribute__((noinline)) void mmu_pages_clear_parents(struct mmu_page_path *parents) {
  struct kvm_mmu_page *sp;
  unsigned level = 0;
  do {
    unsigned idx = parents->idx[level];
    sp = parents->parent[level];
    if (!sp) return;
    sp->bitmap[idx / 64] &= ~(1ul << idx % 64);
    sp->unsync_children--;
    level++;
  } while (!sp->unsync_children);
}
#define for_each_sp(pvec, sp, parents, i)                             \
  for (i = mmu_pages_first(&pvec, &parents);                          \
       i < pvec.nr && ({ sp = pvec.page[i].sp; 1; });                 \
       i = mmu_pages_next(&pvec, &parents, i))

int __attribute__((noinline)) mmu_sync_children(struct kvm_vcpu *vcpu, struct kvm_mmu_page *parent) {
  int i, flush = 0;
  struct kvm_mmu_page *sp;
  struct mmu_page_path parents;
  struct kvm_mmu_pages pages;
  while (mmu_unsync_walk(parent, &pages)) {
    for_each_sp(pages, sp, parents, i) {
      flush |= sync_page(vcpu, sp);
      mmu_pages_clear_parents(&parents);
    }
  }
  return flush;
}
static __attribute__((noinline)) int mmu_zap_unsync_children(struct kvm *kvm,
                                                             struct kvm_mmu_page *parent) {
  int i, zapped = 0;
  struct mmu_page_path parents;
  struct kvm_mmu_pages pages;
  if (parent->role.level == 1) return 0;
  while (mmu_unsync_walk(parent, &pages)) {
    struct kvm_mmu_page *sp;
    for_each_sp(pages, sp, parents, i) {
      prepare_zap_page(kvm, sp);
      mmu_pages_clear_parents(&parents);
      zapped++;
    }
  }
  return zapped;
}
int kvm_mmu_zap(struct kvm *kvm, struct kvm_mmu_page *parent) {
  return mmu_zap_unsync_children(kvm, parent) + kvm->users;
}
)";

}  // namespace kvmscope::tracing
