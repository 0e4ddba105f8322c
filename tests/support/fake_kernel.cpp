#include "tests/support/fake_kernel.hpp"

#include "tests/support/fake_kernel_module.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t page_present_writable = 3;
constexpr std::uint64_t page_huge = 0x80;
constexpr PhysAddr top_table{0x1000};
constexpr PhysAddr third_table{0x2000};
constexpr std::uint64_t bit(unsigned number) {
  return 1ULL << number;
}
constexpr std::uint64_t mmu_present = bit(11);

}  // namespace

FakeKernel::FakeKernel(FakeKernelOptions options) : options_(std::move(options)), memory_(types_) {
  declare_kernel(fake_types_, options_.era);
  types_.add("kvm", [this] { return &fake_types_; });
  types_.add("built-in", [] { return &builtin_types(); });
  finder_.files.emplace("kvm", FakeFinder::File{options_.file_build_id, fake_types_, no_symbols_});
  finder_.map = &system_map_;
  make_page_tables();
  make_symbols();
  make_masks();
}

FakeKernel::~FakeKernel() = default;

// 0xffff888000000000 is entry 273 of the top table: one 1 GiB page of all memory.
void FakeKernel::make_page_tables() {
  memory_.write(FakeMemory::virt(top_table), Bytes(std::array<std::byte, page_size>{}));
  memory_.write(FakeMemory::virt(third_table), Bytes(std::array<std::byte, page_size>{}));
  memory_.poke(FakeMemory::virt(top_table + 8 * 273), third_table.value | page_present_writable);
  memory_.poke(FakeMemory::virt(third_table), page_present_writable | page_huge);
}

std::string FakeKernel::vmcoreinfo() const {
  // The symbol lies in the kernel image, whose first byte is physical address 0 here.
  return "OSRELEASE=fake-" + std::string(name(options_.era)) +
         "\nPAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffffffff80001000\nNUMBER(phys_base)=0\n"
         "NUMBER(pgtable_l5_enabled)=0\nKERNELOFFSET=0\n";
}

std::unique_ptr<Dump> FakeKernel::dump() const {
  return std::make_unique<FakeDump>(memory_.physical(), vmcoreinfo());
}

void FakeKernel::make_symbols() {
  const auto of_vmlinux = [&](const char* name, std::uint64_t value) {
    const VirtAddr at = memory_.allocate(16);
    memory_.poke(at, value);
    system_map_.add({name, at.value, 0, 'D', ""});
    return at;
  };
  of_vmlinux("page_offset_base", FakeMemory::direct_map.value);
  of_vmlinux("vmemmap_base", FakeMemory::vmemmap.value);
  modules_ = of_vmlinux("modules", 0);
  memory_.init_list(modules_);
  set_variable("vm_list", 0);
  memory_.init_list(vm_list());
}

void FakeKernel::make_masks() {
  const Era era = options_.era;
  const bool ept = options_.ept;
  set_flag("tdp_enabled", options_.tdp_enabled);
  set_flag("tdp_mmu_enabled", options_.tdp_mmu);
  set_variable("shadow_present_mask", ept ? (era >= Era::v6_12 ? bit(63) : 0) : 1);
  set_variable("shadow_user_mask", ept ? 1 : 4);
  set_variable(era == Era::v7_3 ? "shadow_xs_mask" : "shadow_x_mask", ept ? 4 : 0);
  if (era == Era::v7_3) set_variable("shadow_xu_mask", ept ? bit(10) : 0);
  set_variable("shadow_nx_mask", ept ? 0 : bit(63));
  set_variable("shadow_accessed_mask", ept ? bit(8) : bit(5));
  set_variable("shadow_dirty_mask", ept ? bit(9) : bit(6));
  set_variable("shadow_acc_track_mask", ept ? 7 : 0);
  if (era >= Era::v5_15) {
    const bool moved = era == Era::v7_3;
    set_variable("shadow_host_writable_mask", !ept ? bit(9) : moved ? bit(53) : bit(57));
    set_variable("shadow_mmu_writable_mask", !ept ? bit(10) : moved ? bit(55) : bit(58));
    set_variable("shadow_mmio_value", ept ? 6 : bit(51) | 1);
    set_variable("shadow_mmio_mask", !ept ? bit(51) | 1 : era >= Era::v6_12 ? bit(63) | 7 : 7);
  } else if (era == Era::v4_19) {
    set_variable("shadow_acc_track_value", bit(62));
    set_variable("shadow_mmio_value", bit(62) | bit(51));
    set_variable("shadow_mmio_mask", bit(62) | bit(51));
  } else {
    set_variable("shadow_mmio_value", bit(51) | 1);
  }
  if (era >= Era::v6_1) set_flag("enable_mmio_caching", true);
}

void FakeKernel::set_variable(std::string_view name, std::uint64_t value) {
  auto known = variables_.find(name);
  if (known == variables_.end()) {
    const Symbol made{std::string(name), memory_.allocate(16).value, 8, 'D', ""};
    known = variables_.emplace(made.name, made).first;
  }
  memory_.poke({known->second.address}, value);
}

void FakeKernel::set_flag(std::string_view name, bool value) {
  set_variable(name, 0xa5a5a5a5a5a5a500 | (value ? 1 : 0));
  variables_.find(name)->second.size = 1;
}

void FakeKernel::remove_variable(std::string_view name) {
  variables_.erase(variables_.find(name));
}

VirtAddr FakeKernel::variable(std::string_view name) const {
  return {variables_.find(name)->second.address};
}

void FakeKernel::load_module() {
  FakeModule module{.name = "kvm", .build_id = options_.module_build_id};
  for (const auto& [name, symbol] : variables_) module.symbols.push_back(symbol);
  add_module(memory_, module, modules_);
}

const Kernel& FakeKernel::kernel() {
  if (kernel_) return *kernel_;
  if (options_.module) {
    load_module();
  } else {
    for (const auto& [name, symbol] : variables_)
      system_map_.add({name, symbol.address, 0, 'D', ""});  // System.map knows no sizes
  }
  dump_ = dump();
  kernel_ = std::make_unique<Kernel>(*dump_, finder_);
  return *kernel_;
}

const kvm::Kvm& FakeKernel::kvm() {
  if (!kvm_) kvm_ = std::make_unique<kvm::Kvm>(kernel());
  return *kvm_;
}

kvm::Vm FakeKernel::vm(unsigned index) {
  return kvm().vm_at(vms_.at(index).address(), index);
}

kvm::Vcpu FakeKernel::vcpu(unsigned vm_index, std::uint64_t idx) {
  return kvm().vcpu_at(vm(vm_index), idx);
}

FakeVm& FakeKernel::add_vm(const FakeOwner& owner) {
  return vms_.emplace_back(*this, owner);
}

std::uint64_t FakeKernel::table_entry(PhysAddr table) const {
  const std::uint64_t present = options_.era >= Era::v5_15 ? mmu_present : 0;
  const std::uint64_t allowed = options_.ept ? 7 : 7 | bit(5);
  return table.value | value("shadow_present_mask") | allowed | present;
}

std::uint64_t FakeKernel::leaf_entry(Pfn pfn, unsigned level, const FakeLeaf& leaf) const {
  const bool marked = options_.era >= Era::v5_15;
  std::uint64_t entry = to_phys(pfn).value | value("shadow_present_mask") | 1;
  entry |= marked ? mmu_present : 0;
  entry |= level > 1 ? page_huge : 0;
  entry |= leaf.writable ? 2 : 0;
  entry |= leaf.user ? value("shadow_user_mask") : 0;
  if (options_.ept) entry |= 6 << 3;  // write-back
  const bool split = options_.era == Era::v7_3;
  entry |=
      leaf.executable ? value(split ? "shadow_xs_mask" : "shadow_x_mask") : value("shadow_nx_mask");
  entry |= leaf.accessed ? value("shadow_accessed_mask") : 0;
  entry |= leaf.dirty ? value("shadow_dirty_mask") : 0;
  const std::uint64_t host_writable = marked ? value("shadow_host_writable_mask") : bit(10);
  const std::uint64_t mmu_writable = marked ? value("shadow_mmu_writable_mask") : bit(11);
  entry |= leaf.host_writable ? host_writable : 0;
  entry |= leaf.mmu_writable ? mmu_writable : 0;
  return entry;
}

}  // namespace kvmscope
