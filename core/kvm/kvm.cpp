#include "core/kvm/kvm.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/kvm/rmap.hpp"
#include "core/object/containers.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t most_vms = 100'000;
constexpr std::uint64_t most_vcpus = 65'536;  // KVM_MAX_VCPUS is at most 4096 today
constexpr std::uint64_t most_pages = 100'000'000;

}  // namespace

Kvm::Kvm(const Kernel& kernel)
    : kernel_(kernel),
      layout_(kernel.layout_types()),
      tasks_(kernel.layout_types(), kernel.memory()) {
  if (kernel.module("kvm") != nullptr) {
    // vmlinux's own debug info lacks kvm's private types.
    kernel.debug_info().need_layout("kvm");
    return;
  }
  // With CONFIG_KVM=y its variables are vmlinux's.
  if (!kernel.find_symbol("vmlinux", "vm_list"))
    throw_error(ErrorKind::unavailable,
                "kvm is not loaded in this kernel ({}): there is nothing to look at{}",
                kernel.vmcoreinfo().release(),
                kernel.steady() != nullptr ? " (modprobe kvm_amd or kvm_intel loads it)" : "");
  if (kernel.debug_info().layout() == nullptr) kernel.debug_info().fetch("vmlinux");
}

std::optional<Symbol> Kvm::variable(std::string_view name) const {
  return kernel_.find_symbol(kernel_.module("kvm") != nullptr ? "kvm" : "vmlinux", name);
}

bool Kvm::flag(std::string_view name) const {
  const std::optional<Symbol> symbol = variable(name);
  return symbol && memory().value<std::uint8_t>({symbol->address}) != 0;
}

const SpteFormat& Kvm::spte_format() const {
  if (!spte_format_) {
    keep_masks();
    SpteFormat format = read_spte_format(kernel_);
    format.empty = empty_spte();
    if (kernel_.steady() != nullptr) kernel_.steady()->drop_kept();
    spte_format_ = format;
  }
  return *spte_format_;
}

// While the kernel runs each read is a system call, and the masks lie side by side.
void Kvm::keep_masks() const {
  const SteadyMemory* steady = kernel_.steady();
  const std::optional<Symbol> mask =
      steady != nullptr ? variable("shadow_present_mask") : std::nullopt;
  if (!mask) return;
  constexpr std::uint64_t around = 512;
  lost_in([&] { steady->keep(VirtAddr{mask->address} - around, 2 * around); });
}

// Since v6.10 an empty entry is not 0; a vCPU's cache of fresh pages knows what it is.
std::uint64_t Kvm::empty_spte() const {
  const Field& field = layout_.vcpu().empty_spte;
  std::vector<VirtAddr> addresses;
  if (field.present())
    if_readable([&] {
      each_vm_address([&](VirtAddr address) { addresses.push_back(address); });
      return true;
    });
  for (const VirtAddr address : addresses) {
    const std::optional<std::uint64_t> value =
        if_readable([&] { return vcpu_at(vm_at(address, 0), 0).fields.get(field); });
    if (value) return *value;
  }
  return 0;
}

Vm Kvm::vm_at(VirtAddr address, unsigned index) const {
  return with_context([&] { return fmt::format("reading the VM at {:#x}", address.value); },
                      [&] {
                        Vm vm{index, address, {layout_.vm(), memory(), address}};
                        if (kernel_.steady() != nullptr) check_alive(address);
                        return vm;
                      });
}

// Memory of a VM that is gone reads as zeros, or as something else: only vm_list tells.
void Kvm::check_alive(VirtAddr vm) const {
  const VirtAddr link = vm + layout_.vm().vm_list.offset;
  const bool linked = if_readable([&] {
                        const VirtAddr next{memory().u64(link)};
                        return memory().u64(next + 8) == link.value;
                      }).value_or(false);
  if (!linked)
    throw_error(ErrorKind::torn,
                "the VM at {:#x} died, or others came and went beside it on vm_list", vm.value);
}

void Kvm::forget_values() {
  spte_format_.reset();
}

void Kvm::each_vm_address(const std::function<void(VirtAddr)>& visit) const {
  const std::optional<Symbol> head = variable("vm_list");
  if (!head) throw Error(ErrorKind::corrupt, "kvm has no variable vm_list");
  require(layout_.vm().vm_list);
  with_context([] { return "walking vm_list"; },
               [&] {
                 walk_list(
                     memory(), {head->address},
                     [&](VirtAddr node) { visit(node - layout_.vm().vm_list.offset); }, most_vms);
               });
}

std::optional<std::string> Kvm::id(const Vm& vm) const {
  const VirtAddr dentry{vm.fields.find(layout_.vm().debugfs_dentry).value_or(0)};
  const Field& name = layout_.dentry().name;
  // An error pointer where debugfs is off.
  if (dentry.value == 0 || dentry.value >= static_cast<std::uint64_t>(-4095) || !name.present())
    return std::nullopt;
  return read_string(memory(), {memory().u64(dentry + name.offset)});
}

std::uint64_t Kvm::vcpu_count(const Vm& vm) const {
  const std::uint64_t count = vm.fields.get(layout_.vm().online_vcpus);
  if (count > most_vcpus)
    throw_error(ErrorKind::corrupt, "the VM at {:#x} claims {} vCPUs", vm.address.value, count);
  return count;
}

Vcpu Kvm::vcpu_at(const Vm& vm, std::uint64_t idx) const {
  return with_context(
      [&] { return fmt::format("reading vCPU {} of VM {}", idx, vm.index); },
      [&] {
        const VirtAddr place = vm.fields.address_of(layout_.vm().vcpus);
        const bool is_xarray = is_aggregate(*layout_.vm().vcpus.type);
        const VirtAddr address{
            is_xarray ? xarray_load(memory(), vcpu_array_layout(vm), place, idx).value_or(0)
                      : memory().u64(place + 8 * idx)};
        if (address.value == 0)
          throw Error(ErrorKind::corrupt, "it is online, but its slot is empty");
        return Vcpu{vm.index, idx, address, {layout_.vcpu(), memory(), address}};
      });
}

XArrayLayout Kvm::vcpu_array_layout(const Vm& vm) const {
  XArrayLayout layout;
  layout.head = layout_.xarray().head.offset;
  // A single entry needs no node, and struct xa_node is often not in kvm.ko.
  if (vcpu_count(vm) <= 1) return layout;
  layout.shift = layout_.xa_node().shift.offset;
  layout.slots = layout_.xa_node().slots.offset;
  layout.slot_count = layout_.xa_node().slots.count();
  return layout;
}

// Thousands of pages have few roles.
const Role& Kvm::role_of(const StructCopy& page) const {
  const auto word = static_cast<std::uint32_t>(page.get(layout_.page().role));
  if (last_role_.word != word) last_role_ = decode_role(layout_.role(), word);
  return last_role_;
}

ShadowPage Kvm::shadow_page(VirtAddr address) const {
  return with_context([&] { return fmt::format("reading shadow page {:#x}", address.value); },
                      [&] {
                        const StructCopy copy(layout_.page(), memory(), address);
                        // Fresh pages are zeros, in a vCPU's cache and while one is put on the list
                        // (kvm_mmu_alloc_shadow_page()): no fault of KVM's, however long it lasts.
                        if (kernel_.steady() != nullptr && copy.get(layout_.page().role) == 0)
                          throw_error(ErrorKind::torn,
                                      "it has no role: it was freed, or KVM is just making it");
                        return decode_page(layout_.page(), role_of(copy), copy);
                      });
}

std::optional<ShadowPage> Kvm::page_of_table(PhysAddr table) const {
  const PageStructFields& fields = layout_.page_struct();
  const VirtAddr frame = kernel_.page_struct(to_pfn(table), fields.size());
  require(fields.private_data);
  const VirtAddr owner{memory().u64(frame + fields.private_data.offset)};
  if (owner.value % 8 != 0 || !kernel_.direct_phys(owner)) return std::nullopt;
  const ShadowPage page = shadow_page(owner);
  if (page.spt != kernel_.direct_map(table)) return std::nullopt;
  return page;
}

bool Kvm::uses_tdp_mmu(const Vm& vm) const {
  if (!flag("tdp_enabled")) return false;
  const std::optional<std::uint64_t> own = vm.fields.find(layout_.vm().tdp_mmu_enabled);
  return own ? *own != 0 : flag("tdp_mmu_enabled");
}

std::vector<VirtAddr> Kvm::tdp_roots(const Vm& vm) const {
  std::vector<VirtAddr> roots;
  // While the TDP MMU is off the list head is not even initialised.
  if (!layout_.vm().tdp_mmu_roots.present() || !uses_tdp_mmu(vm)) return roots;
  with_context([&] { return fmt::format("walking tdp_mmu_roots of VM {}", vm.index); },
               [&] {
                 walk_list(
                     memory(), vm.fields.address_of(layout_.vm().tdp_mmu_roots),
                     [&](VirtAddr node) { roots.push_back(node - layout_.page().link.offset); },
                     most_pages);
               });
  return roots;
}

std::uint64_t Kvm::parent_count(const ShadowPage& page) const {
  return each_parent_spte(*this, page, {}).entries;
}

Gfn Kvm::entry_gfn(const ShadowPage& page, unsigned index) const {
  if (page.role.passthrough) return page.gfn;
  if (page.gfn_table.value != 0 && !page.role.direct) {
    const std::uint64_t entry = memory().u64(page.gfn_table + 8 * index);
    return {page.gfn_table_has_access ? entry >> page_shift : entry};
  }
  return page.gfn + (static_cast<std::uint64_t>(index) << (9 * (page.level() - 1)));
}

}  // namespace kvmscope::kvm
