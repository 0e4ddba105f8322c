// VMs, vCPUs, memslots and shadow pages of a fake kernel.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/kvm/root.hpp"
#include "tests/support/fake_kernel_memory.hpp"

namespace kvmscope {

class FakeKernel;

// Who has made a VM. Its struct kvm is called "PID-FD" in debugfs.
struct FakeOwner {
  int pid = 95;
  int fd = 4;
  std::string comm = "qemu";
  std::string cgroup = "/vms/one";
  bool alive = true;     // else mm->owner is NULL
  bool has_name = true;  // else debugfs is off: an error pointer
};

struct FakePageFacts {
  unsigned level = 1;
  std::uint64_t gfn = 0;
  bool direct = false;
  bool unsync = false;
  unsigned access = 7;
  unsigned quadrant = 0;
  bool four_byte_gpte = false;
  bool invalid = false;
  bool guest_mode = false;
  bool ad_disabled = false;
  unsigned smm = 0;
  bool obsolete = false;
  bool nx_huge_disallowed = false;
  bool tdp_mmu = false;  // not on active_mmu_pages; on tdp_mmu_roots if it is a root
  bool root = false;     // of the TDP MMU
  bool listed = true;
  bool hashed = true;  // shadow pages only
};

struct FakePage {
  VirtAddr address;  // struct kvm_mmu_page
  VirtAddr table;
  unsigned level = 0;

  PhysAddr hpa() const { return FakeMemory::phys(table); }
  VirtAddr entry(unsigned index) const { return table + 8 * index; }
};

// What a leaf allows; `gfn` is what the guest's table says (for indirect pages).
struct FakeLeaf {
  bool writable = true;
  bool executable = true;
  bool user = true;
  bool accessed = true;
  bool dirty = false;
  bool host_writable = true;
  bool mmu_writable = true;
  std::uint64_t gfn = 0;
};

struct FakeSlot {
  unsigned as_id = 0;
  int id = 0;
  std::uint64_t base = 0;  // gfn
  std::uint64_t npages = 0;
  std::uint64_t hva = 0;
  unsigned flags = 0;
  bool rmaps = false;  // rmap, lpage_info and write-tracking arrays, too
};

class FakeVcpu {
 public:
  FakeVcpu(FakeKernel& kernel, VirtAddr vm, std::uint64_t idx, std::uint64_t id);

  VirtAddr address() const { return address_; }
  VirtAddr mmu(kvm::MmuKind kind) const;
  VirtAddr pid() const { return pid_; }    // struct pid of its thread
  VirtAddr task() const { return task_; }  // task_struct of its thread

  // The current root of the active mmu, with a reference to the page; cr3 follows.
  void run_on(const FakePage& page, std::uint64_t pgd);
  // prev_roots[index].
  void keep(unsigned index, const FakePage& page, std::uint64_t pgd);
  // A root that is no shadow page: a dummy root, another table. The role says `level`.
  void run_on_table(PhysAddr table, std::uint64_t pgd, unsigned level);
  // A PAE table; a page without an address leaves its entry empty.
  VirtAddr run_on_pae(const std::array<FakePage, 4>& pages, std::uint64_t pgd);
  // An empty slot that remembers what it held.
  void forget(std::optional<unsigned> prev, std::uint64_t pgd);
  // arch.mmu points to guest_mmu from now on, and roots are set there.
  void enter_nested_guest();
  void set(std::string_view path, std::uint64_t value);

 private:
  void make_thread(std::uint64_t id);
  void set_root(std::optional<unsigned> prev, PhysAddr table, std::uint64_t pgd);
  void set_role(std::uint64_t word);
  void hold(const FakePage& page);

  FakeKernel& kernel_;
  kvm::MmuKind active_ = kvm::MmuKind::root_mmu;
  VirtAddr address_;
  VirtAddr pid_;
  VirtAddr task_;
};

class FakeVm {
 public:
  FakeVm(FakeKernel& kernel, const FakeOwner& owner);

  VirtAddr address() const { return address_; }
  FakeVcpu& add_vcpu(std::uint64_t id);
  void add_slot(const FakeSlot& slot);
  // The struct kvm_memslots of one address space.
  VirtAddr slot_set(unsigned as_id) const { return sets_.at(as_id); }

  FakePage add_page(const FakePageFacts& facts);
  // Puts `child` into entry `index` of `parent` and into the child's parent_ptes (or ptep). A
  // child with something unsync marks its parents, as mark_unsync() does.
  void link(const FakePage& parent, unsigned index, const FakePage& child);
  // Links a new page there.
  FakePage grow(const FakePage& parent, unsigned index, const FakePageFacts& facts);
  void map(const FakePage& page, unsigned index, Pfn pfn, const FakeLeaf& leaf = {});
  // Puts entry `index` of `page` into the rmap of `gfn`. Precondition: its memslot has rmaps.
  void reverse(const FakePage& page, unsigned index, std::uint64_t gfn, unsigned as_id = 0);
  // The kvm_rmap_head of a frame.
  VirtAddr rmap_head(std::uint64_t gfn, unsigned level, unsigned as_id = 0) const;
  // The hlist_head that pages of this gfn are in.
  VirtAddr bucket(std::uint64_t gfn) const;
  // Sets the unsync bit of one entry, whatever hangs below: stale, if nothing does.
  void mark(const FakePage& parent, unsigned index);
  void set(std::string_view path, std::uint64_t value);

 private:
  void make_owner(const FakeOwner& owner);
  void make_slot_sets();
  VirtAddr make_slot(const FakeSlot& slot);
  void write_slot(VirtAddr at, const FakeSlot& slot);
  void write_slot_tree(unsigned as_id);
  VirtAddr write_subtree(unsigned as_id, std::size_t from, std::size_t to, VirtAddr parent);
  void write_slot_array(unsigned as_id);
  void write_vcpus();
  void count_page();
  void write_role(const FakePage& page, const FakePageFacts& facts);
  void write_parents(const FakePage& child);
  void make_arrays(VirtAddr at, const FakeSlot& slot);
  void make_hash();
  void hash_page(const FakePage& page, std::uint64_t gfn);
  void write_spte_list(VirtAddr head, const std::vector<VirtAddr>& sptes);

  struct PlacedSlot {
    FakeSlot slot;
    VirtAddr address;
  };
  struct Parent {
    FakePage page;
    unsigned index = 0;
  };

  FakeKernel& kernel_;
  VirtAddr address_;
  std::deque<FakeVcpu> vcpus_;
  std::array<VirtAddr, 2> sets_{};
  std::array<std::vector<PlacedSlot>, 2> slots_;  // in order of base
  std::map<VirtAddr, std::vector<Parent>> parents_;
  std::map<VirtAddr, std::vector<VirtAddr>> rmaps_;  // SPTEs by kvm_rmap_head
};

}  // namespace kvmscope
