// KVM in one kernel: its VMs, vCPUs, roots and shadow pages.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/kernel.hpp"
#include "core/kernel/tasks.hpp"
#include "core/kvm/layout.hpp"
#include "core/kvm/root.hpp"
#include "core/kvm/shadow_page.hpp"
#include "core/kvm/spte.hpp"
#include "core/object/containers.hpp"

namespace kvmscope::kvm {

class Kvm;

// A struct kvm: a copy of the fields that kvmscope reads.
struct Vm {
  unsigned index = 0;  // in order of creation
  VirtAddr address;
  StructCopy fields;
};

// A struct kvm_vcpu: likewise.
struct Vcpu {
  unsigned vm = 0;
  std::uint64_t idx = 0;
  VirtAddr address;
  StructCopy fields;
};

// A struct kvm_memory_slot.
struct Memslot {
  unsigned vm = 0;
  unsigned as_id = 0;
  std::int64_t id = 0;
  Gfn base;
  std::uint64_t npages = 0;
  std::uint64_t hva = 0;
  std::uint64_t flags = 0;
  VirtAddr address;  // struct kvm_memory_slot
};

class Kvm {
 public:
  // Throws Error{unavailable} when kvm is not loaded. Keeps a reference.
  explicit Kvm(const Kernel& kernel);

  const Kernel& kernel() const { return kernel_; }
  const VirtReader& memory() const { return kernel_.memory(); }
  const Layout& layout() const { return layout_; }
  const Tasks& tasks() const { return tasks_; }
  const SpteFormat& spte_format() const;
  // What may change while the kernel runs is read again from now on.
  void forget_values();

  // A variable of kvm.ko (or of vmlinux when KVM is built in); none: no such symbol.
  std::optional<Symbol> variable(std::string_view name) const;
  bool flag(std::string_view variable) const;  // a bool; false when there is none

  // The address of every struct kvm, newest first, as vm_list has them.
  void each_vm_address(const std::function<void(VirtAddr)>& visit) const;
  // Throws Error{torn} when the kernel runs and the VM is not on vm_list any more.
  Vm vm_at(VirtAddr address, unsigned index) const;
  // Throws Error{torn} when the struct kvm at `vm` is not on vm_list. For a kernel that runs.
  void check_alive(VirtAddr vm) const;
  // "PID-FD" of debugfs; none where the kernel keeps no such name.
  std::optional<std::string> id(const Vm& vm) const;

  // online_vcpus. Throws Error{corrupt} on a number that makes no sense.
  std::uint64_t vcpu_count(const Vm& vm) const;
  // vCPU number `idx` of kvm->vcpu_array, below vcpu_count().
  Vcpu vcpu_at(const Vm& vm, std::uint64_t idx) const;
  std::vector<Memslot> memslots(const Vm& vm) const;

  // Which of its mmus arch.mmu points to. Throws Error{corrupt} when it is neither.
  MmuKind active_mmu(const Vcpu& vcpu) const;
  // Every slot of both mmus of a vCPU, with a row for each entry of a PAE table.
  std::vector<Root> roots(const Vcpu& vcpu) const;

  ShadowPage shadow_page(VirtAddr address) const;
  // The caller's work depends on `page` being the page that it was when it was read.
  void use_identity(const ShadowPage& page) const;
  // The shadow page whose table is at `table`, through page_private(); none when the
  // frame is no table of KVM's (private is shared by all subsystems, so it is checked).
  std::optional<ShadowPage> page_of_table(PhysAddr table) const;
  // Calls `visit` with the address of each struct kvm_mmu_page on arch.active_mmu_pages, in list
  // order. A break in the list costs what lies behind it up to the next one, counted from the end.
  // While the kernel runs the list is walked first, again if its pages changed; headers come from
  // that walk until `finish` has run. Throws Error{torn} at the end when they still did: pages may
  // be missing, or be gone.
  void each_active_page(
      const Vm& vm, const std::function<void(VirtAddr)>& visit,
      const std::function<void()>& finish = [] {}) const;
  // How many there are. While the kernel runs it is the caller who checks what was used.
  std::uint64_t active_page_count(const Vm& vm) const;
  // The roots on arch.tdp_mmu_roots; none while the TDP MMU is off.
  std::vector<VirtAddr> tdp_roots(const Vm& vm) const;
  bool uses_tdp_mmu(const Vm& vm) const;

  // How many parent entries point to this page: kvm_rmap_head of a shadow page, ptep of a TDP one.
  std::uint64_t parent_count(const ShadowPage& page) const;
  // The frame that entry `index` of a page maps (kvm_mmu_page_get_gfn()). Valid for leaves, and
  // for tables below direct pages.
  Gfn entry_gfn(const ShadowPage& page, unsigned index) const;

 private:
  const Role& role_of(const StructCopy& page) const;
  void add_roots(const Vcpu& vcpu, MmuKind kind, VirtAddr mmu, bool active,
                 std::vector<Root>& roots) const;
  void fill_root(Root& root, std::uint64_t hpa, std::uint32_t role_word,
                 const StructCopy& mmu) const;
  void add_pae_entries(const Root& root, std::vector<Root>& roots) const;
  void use_page_counters(const Vm& vm) const;
  void walk_active_pages(const Vm& vm, const std::function<void(VirtAddr)>& visit) const;
  void keep_masks() const;
  std::uint64_t empty_spte() const;
  XArrayLayout vcpu_array_layout(const Vm& vm) const;

  const Kernel& kernel_;
  Layout layout_;
  Tasks tasks_;
  mutable std::optional<SpteFormat> spte_format_;
  mutable Role last_role_;  // of the last shadow page
};

}  // namespace kvmscope::kvm
