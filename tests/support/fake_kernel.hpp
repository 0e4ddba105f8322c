// A whole kernel in memory, with VMs, vCPUs and page tables: for tests that have neither debug
// info nor a dump. What it looks like is in fake_kernel_eras.cpp.
//
//   FakeKernel kernel;
//   FakeVm& vm = kernel.add_vm();
//   const FakePage root = vm.add_page({.level = 4, .gfn = 0x100});
//   vm.add_vcpu(0).run_on(root, 0x100000);
//   EXPECT_EQ(kernel.kvm().roots(kernel.vcpu()).front().name(), "0.0");
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/kvm/kvm.hpp"
#include "tests/support/fake_kernel_eras.hpp"
#include "tests/support/fake_kernel_memory.hpp"
#include "tests/support/fake_kernel_target.hpp"
#include "tests/support/fake_kernel_vm.hpp"

namespace kvmscope {

struct FakeKernelOptions {
  Era era = Era::v6_1;
  bool ept = false;          // SPTEs in EPT format; else NPT and legacy, which are the same
  bool tdp_enabled = false;  // else shadow paging
  bool tdp_mmu = false;
  // KVM as a module with symbols of its own; else built in, its variables among vmlinux's.
  bool module = false;
  std::string module_build_id = "0102030405060708";  // in the module's memory; empty: no note
  std::string file_build_id = "0102030405060708";    // of the debug file; empty: has none
};

class FakeKernel {
 public:
  explicit FakeKernel(FakeKernelOptions options = {});
  FakeKernel(const FakeKernel&) = delete;
  FakeKernel& operator=(const FakeKernel&) = delete;
  ~FakeKernel();

  const FakeKernelOptions& options() const { return options_; }
  FakeTypes& types() { return fake_types_; }
  FakeMemory& memory() { return memory_; }
  FakeFinder& finder() { return finder_; }
  FakeVm& add_vm(const FakeOwner& owner = {});

  // A 64-bit variable of KVM: made, or changed.
  void set_variable(std::string_view name, std::uint64_t value);
  // A bool, with other things right behind it.
  void set_flag(std::string_view name, bool value);
  void remove_variable(std::string_view name);
  VirtAddr variable(std::string_view name) const;
  std::uint64_t value(std::string_view name) const { return memory_.peek(variable(name)); }

  // The product's view of it, made at the first call: add and remove variables before.
  const Kernel& kernel();
  const kvm::Kvm& kvm();
  // Shortcuts to the product's objects.
  kvm::Vm vm(unsigned index = 0);
  kvm::Vcpu vcpu(unsigned vm_index = 0, std::uint64_t idx = 0);
  kvm::ShadowPage page(const FakePage& page) { return kvm().shadow_page(page.address); }

  std::unique_ptr<Dump> dump() const;
  std::string vmcoreinfo() const;

  // An SPTE that points to a table, and one that maps a frame, in this kernel's format.
  std::uint64_t table_entry(PhysAddr table) const;
  std::uint64_t leaf_entry(Pfn pfn, unsigned level, const FakeLeaf& leaf) const;
  std::uint64_t empty_entry() const { return options_.era >= Era::v6_12 ? 1ULL << 63 : 0; }
  VirtAddr vm_list() const { return variable("vm_list"); }

 private:
  void make_page_tables();
  void make_symbols();
  void make_masks();
  void load_module();

  FakeKernelOptions options_;
  FakeTypes fake_types_;
  Types types_;
  FakeMemory memory_;
  FakeSymbols system_map_;
  FakeSymbols no_symbols_;
  std::map<std::string, Symbol, std::less<>> variables_;
  FakeFinder finder_;
  VirtAddr modules_;
  std::deque<FakeVm> vms_;
  std::unique_ptr<Dump> dump_;
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<kvm::Kvm> kvm_;
};

}  // namespace kvmscope
