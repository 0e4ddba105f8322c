#include "tests/support/fake_kernel_vm.hpp"

#include <algorithm>

#include "tests/support/fake_kernel.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t invalid_page = ~0ULL;
constexpr std::uint64_t no_such_entry = -2;  // ERR_PTR(-ENOENT)
constexpr unsigned prev_roots = 3;

VirtAddr make_task(FakeMemory& memory, int pid, int tgid, std::string_view comm) {
  const VirtAddr task = memory.allocate("task_struct");
  memory.set(task, "task_struct", "pid", static_cast<std::uint64_t>(pid));
  memory.set(task, "task_struct", "tgid", static_cast<std::uint64_t>(tgid));
  memory.set(task, "task_struct", {"__state", "state"}, 1);  // TASK_INTERRUPTIBLE
  memory.write(memory.member(task, "task_struct", "comm"), comm.substr(0, 15));
  return task;
}

// task->cgroups->dfl_cgrp->kn, and its parents up to the root.
void make_cgroup(FakeMemory& memory, VirtAddr task, std::string_view path) {
  const auto make_node = [&](VirtAddr parent, std::string_view name) {
    const VirtAddr node = memory.allocate("kernfs_node");
    memory.set(node, "kernfs_node", {"__parent", "parent"}, parent.value);
    memory.set(node, "kernfs_node", "name", memory.string(name).value);
    return node;
  };
  VirtAddr node = make_node({}, "");
  while (path.size() > 1) {
    path.remove_prefix(1);
    const std::size_t slash = std::min(path.find('/'), path.size());
    node = make_node(node, path.substr(0, slash));
    path.remove_prefix(slash);
  }
  const VirtAddr set = memory.allocate("css_set");
  const VirtAddr group = memory.allocate("cgroup");
  memory.set(task, "task_struct", "cgroups", set.value);
  memory.set(set, "css_set", "dfl_cgrp", group.value);
  memory.set(group, "cgroup", "kn", node.value);
}

}  // namespace

// ---- VMs

FakeVm::FakeVm(FakeKernel& kernel, const FakeOwner& owner)
    : kernel_(kernel), address_(kernel.memory().allocate("kvm")) {
  FakeMemory& memory = kernel_.memory();
  memory.list_add(memory.member(address_, "kvm", "vm_list"), kernel_.vm_list());
  memory.init_list(memory.member(address_, "kvm", "arch.active_mmu_pages"));
  // The head is initialised with the TDP MMU only.
  if (kernel_.options().tdp_mmu)
    memory.init_list(memory.member(address_, "kvm", "arch.tdp_mmu_roots"));
  memory.try_set(address_, "kvm", {"arch.tdp_mmu_enabled"}, kernel_.options().tdp_mmu ? 1 : 0);
  set("arch.n_max_mmu_pages", 327);
  memory.try_set(address_, "kvm", {"arch.shadow_mmio_value"}, kernel_.value("shadow_mmio_value"));
  make_owner(owner);
  make_slot_sets();
  make_hash();
}

void FakeVm::make_owner(const FakeOwner& owner) {
  FakeMemory& memory = kernel_.memory();
  const VirtAddr mm = memory.allocate("mm_struct");
  set("mm", mm.value);
  set("userspace_pid", static_cast<std::uint64_t>(owner.pid));
  if (owner.alive) {
    const VirtAddr task = make_task(memory, owner.pid, owner.pid, owner.comm);
    make_cgroup(memory, task, owner.cgroup);
    memory.set(mm, "mm_struct", "owner", task.value);
  }
  if (!owner.has_name) return set("debugfs_dentry", no_such_entry);
  const VirtAddr dentry = memory.allocate("dentry");
  const VirtAddr text = memory.string(fmt::format("{}-{}", owner.pid, owner.fd));
  memory.set(dentry, "dentry", {"__d_name.name", "d_name.name"}, text.value);
  set("debugfs_dentry", dentry.value);
}

void FakeVm::set(std::string_view path, std::uint64_t value) {
  kernel_.memory().set(address_, "kvm", path, value);
}

FakeVcpu& FakeVm::add_vcpu(std::uint64_t id) {
  FakeVcpu& vcpu = vcpus_.emplace_back(kernel_, address_, vcpus_.size(), id);
  set("online_vcpus.counter", vcpus_.size());
  write_vcpus();
  return vcpu;
}

// An array of pointers; or an xarray: one entry in its head, several in a node.
void FakeVm::write_vcpus() {
  FakeMemory& memory = kernel_.memory();
  if (memory.has("kvm", "vcpus")) {
    for (std::size_t i = 0; i < vcpus_.size(); ++i)
      set(fmt::format("vcpus[{}]", i), vcpus_[i].address().value);
    return;
  }
  if (vcpus_.size() == 1) return set("vcpu_array.xa_head", vcpus_.front().address().value);
  const VirtAddr node = memory.allocate("xa_node");
  for (std::size_t i = 0; i < vcpus_.size(); ++i)
    memory.set(node, "xa_node", fmt::format("slots[{}]", i), vcpus_[i].address().value);
  set("vcpu_array.xa_head", node.value | 2);
}

// ---- vCPUs

FakeVcpu::FakeVcpu(FakeKernel& kernel, VirtAddr vm, std::uint64_t idx, std::uint64_t id)
    : kernel_(kernel), address_(kernel.memory().allocate("kvm_vcpu")) {
  FakeMemory& memory = kernel_.memory();
  set("kvm", vm.value);
  set("vcpu_id", id);
  memory.try_set(address_, "kvm_vcpu", {"vcpu_idx"}, idx);
  set("cpu", ~0ULL);
  set("arch.cr0", 0x80050033);
  set("arch.cr4", 0x6f0);
  set("arch.efer", 0xd01);
  set("arch.regs_avail", 0xffffffff);
  memory.try_set(address_, "kvm_vcpu", {"arch.mmu_shadow_page_cache.init_value"},
                 kernel_.empty_entry());
  memory.try_set(address_, "kvm_vcpu", {"arch.nested_mmu.root.hpa", "arch.nested_mmu.root_hpa"},
                 invalid_page);
  const bool has_guest_mmu = memory.has("kvm_vcpu", "arch.guest_mmu");
  if (has_guest_mmu) set("arch.mmu", mmu(kvm::MmuKind::root_mmu).value);
  for (const kvm::MmuKind kind : {kvm::MmuKind::guest_mmu, kvm::MmuKind::root_mmu}) {
    if (kind == kvm::MmuKind::guest_mmu && !has_guest_mmu) continue;
    active_ = kind;
    forget(std::nullopt, 0);
    for (unsigned i = 0; i < prev_roots; ++i) forget(i, 0);
  }
  make_thread(id);
}

void FakeVcpu::make_thread(std::uint64_t id) {
  FakeMemory& memory = kernel_.memory();
  const int tid = 100 + static_cast<int>(id);
  task_ = make_task(memory, tid, 95, fmt::format("CPU {}/KVM", id));
  pid_ = memory.allocate(memory.size_of("pid") + memory.size_of("upid"));
  memory.set(pid_, "pid", "tasks[0].first", memory.member(task_, "task_struct", "pid_links").value);
  memory.set(pid_, "pid", "numbers[0].nr", static_cast<std::uint64_t>(tid));
  set("pid", pid_.value);
}

void FakeVcpu::set(std::string_view path, std::uint64_t value) {
  kernel_.memory().set(address_, "kvm_vcpu", path, value);
}

VirtAddr FakeVcpu::mmu(kvm::MmuKind kind) const {
  if (kind == kvm::MmuKind::guest_mmu)
    return kernel_.memory().member(address_, "kvm_vcpu", "arch.guest_mmu");
  return kernel_.memory().member(address_, "kvm_vcpu", {"arch.root_mmu", "arch.mmu"});
}

void FakeVcpu::set_root(std::optional<unsigned> prev, PhysAddr table, std::uint64_t pgd) {
  FakeMemory& memory = kernel_.memory();
  const VirtAddr at = mmu(active_);
  if (!prev) {
    memory.set(at, "kvm_mmu", {"root.hpa", "root_hpa"}, table.value);
    memory.try_set(at, "kvm_mmu", {"root.pgd", "root_pgd", "root_cr3"}, pgd);
    return;
  }
  const std::string slot = fmt::format("prev_roots[{}].", *prev);
  memory.set(at, "kvm_mmu", slot + "hpa", table.value);
  memory.set(at, "kvm_mmu", {slot + "pgd", slot + "cr3"}, pgd);
}

void FakeVcpu::set_role(std::uint64_t word) {
  kernel_.memory().set(mmu(active_), "kvm_mmu",
                       {"root_role.word", "mmu_role.base.word", "base_role.word"}, word);
}

void FakeVcpu::hold(const FakePage& page) {
  FakeMemory& memory = kernel_.memory();
  memory.set(page.address, "kvm_mmu_page", "root_count",
             memory.get(page.address, "kvm_mmu_page", "root_count") + 1);
}

void FakeVcpu::run_on(const FakePage& page, std::uint64_t pgd) {
  set_root(std::nullopt, page.hpa(), pgd);
  set_role(kernel_.memory().get(page.address, "kvm_mmu_page", "role.word"));
  set("arch.cr3", pgd);
  hold(page);
}

void FakeVcpu::keep(unsigned index, const FakePage& page, std::uint64_t pgd) {
  set_root(index, page.hpa(), pgd);
  hold(page);
}

void FakeVcpu::run_on_table(PhysAddr table, std::uint64_t pgd, unsigned level) {
  set_root(std::nullopt, table, pgd);
  set_role(level);  // the level is the lowest four bits in every era
  set("arch.cr3", pgd);
}

VirtAddr FakeVcpu::run_on_pae(const std::array<FakePage, 4>& pages, std::uint64_t pgd) {
  FakeMemory& memory = kernel_.memory();
  const VirtAddr table = memory.allocate_page();
  std::uint64_t role = 0;
  for (unsigned i = 0; i < pages.size(); ++i) {
    if (pages[i].address.value == 0) continue;
    memory.poke(table + 8 * i, pages[i].hpa().value | 1);
    role = memory.get(pages[i].address, "kvm_mmu_page", "role.word");
    hold(pages[i]);
  }
  memory.set(mmu(active_), "kvm_mmu", "pae_root", table.value);
  run_on_table(FakeMemory::phys(table), pgd, 3);
  set_role((role & ~0xfULL) | 3);  // as its pages, but for the level
  return table;
}

void FakeVcpu::forget(std::optional<unsigned> prev, std::uint64_t pgd) {
  set_root(prev, {invalid_page}, pgd);
}

void FakeVcpu::enter_nested_guest() {
  active_ = kvm::MmuKind::guest_mmu;
  set("arch.mmu", mmu(active_).value);
}

}  // namespace kvmscope
