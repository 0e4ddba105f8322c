#include "core/kernel/kernel.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/kernel/usual_symbols.hpp"
#include "core/types/type_modules.hpp"

namespace kvmscope {
namespace {

// Without CONFIG_DYNAMIC_MEMORY_LAYOUT the bases are constants (asm/page_64_types.h,
// asm/pgtable_64_types.h), and no variable holds them.
constexpr std::uint64_t page_offset_level4 = 0xffff888000000000;
constexpr std::uint64_t page_offset_level5 = 0xff11000000000000;
constexpr std::uint64_t vmemmap_level4 = 0xffffea0000000000;
constexpr std::uint64_t vmemmap_level5 = 0xffd4000000000000;
// The direct map is at most this large: 64 TiB with 4 levels, 32 PiB with 5.
constexpr std::uint64_t direct_map_size_level4 = 1ULL << 46;
constexpr std::uint64_t direct_map_size_level5 = 1ULL << 55;

std::string note_of(const Dump& dump) {
  std::optional<std::string> note = dump.vmcoreinfo();
  if (!note && dump.is_live())
    throw Error(ErrorKind::unavailable,
                "/proc/kcore has no VMCOREINFO note (kernels before 4.19 lack it): this kernel "
                "cannot be looked at while it runs");
  if (!note)
    throw Error(ErrorKind::unavailable,
                "the dump has no VMCOREINFO note, which says where the kernel is; for QEMU's "
                "dump-guest-memory start the machine with -device vmcoreinfo and load qemu_fw_cfg "
                "in it");
  return *note;
}

std::optional<AddressSpace> page_tables_of(const Dump& dump, const VmCoreInfo& info) {
  if (dump.kernel_memory() != nullptr) return std::nullopt;
  return std::make_optional<AddressSpace>(dump.memory(), info.page_table_root(),
                                          info.paging_levels(), info.sme_mask());
}

}  // namespace

Kernel::Kernel(const Dump& dump, const DebugFinder& finder)
    : dump_(dump),
      finder_(finder),
      vmcoreinfo_(note_of(dump)),
      address_space_(page_tables_of(dump, vmcoreinfo_)),
      memory_(lay_out_memory()),
      physical_(direct_map_memory_ ? *direct_map_memory_ : dump.memory()),
      live_(dump.is_live() ? std::make_unique<LiveSystem>(
                                 *dump.system_root(),
                                 std::set<std::string, std::less<>>(usual_symbol_names().begin(),
                                                                    usual_symbol_names().end()),
                                 dump.open_log())
                           : nullptr),
      debug_info_(finder, vmcoreinfo_.release(),
                  [this](std::string_view module) { return known_build_id(module); }) {
  debug_info_.set_btf([this] { return open_btf(); });
}

Kernel::~Kernel() = default;

const VirtReader& Kernel::lay_out_memory() {
  if (address_space_) return *address_space_;
  steady_.emplace(*dump_.kernel_memory());
  direct_map_memory_.emplace(*steady_, dump_.direct_map().start, dump_.direct_map().size);
  return *steady_;
}

std::shared_ptr<KernelBtf> Kernel::open_btf() const {
  if (live_ != nullptr)
    return KernelBtf::in_folder(*dump_.system_root() + "/sys/kernel/btf", dump_.open_log());
  if (find_vmlinux_symbols() == nullptr) return nullptr;
  page_offset_base();
  return KernelBtf::in_memory(memory_, [this](std::string_view name) -> std::optional<VirtAddr> {
    const std::optional<Symbol> found = find_symbol("vmlinux", name);
    return found ? std::optional(VirtAddr{found->address}) : std::nullopt;
  });
}

// kvm's own is not known before its debug file is read, since that file says what a
// struct module is: modules() checks it afterwards.
std::string Kernel::known_build_id(std::string_view module) const {
  if (live_ != nullptr) return live_->build_id(module);
  if (module == "vmlinux") return vmcoreinfo_.build_id();
  if (!modules_) return "";
  const Module* loaded = this->module(module);
  return loaded != nullptr ? module_build_id(memory_, *loaded) : "";
}

std::string Kernel::build_id(std::string_view module) const {
  if (live_ != nullptr) return live_->build_id(module);
  if (module == "vmlinux") return vmcoreinfo_.build_id();
  const Module* loaded = this->module(module);
  return loaded != nullptr ? module_build_id(memory_, *loaded) : "";
}

const Type* Kernel::variable_type(std::string_view name) const {
  for (const std::string_view module : type_modules) {
    const DebugFile* file = debug_info_.file(module);
    const Type* type = file != nullptr ? file->variable_type(name) : nullptr;
    if (type != nullptr) return type;
  }
  return nullptr;
}

const std::vector<Module>& Kernel::modules() const {
  if (live_ != nullptr) return live_->modules();
  if (modules_) return *modules_;
  std::vector<Module> found = find_modules();
  std::string wrong = wrong_build(found);
  if (!wrong.empty() && debug_info_.give_up_layout()) {
    found = find_modules();
    wrong = wrong_build(found);
  }
  if (!wrong.empty()) throw Error(ErrorKind::unavailable, wrong);
  modules_ = std::move(found);
  return *modules_;
}

std::vector<Module> Kernel::find_modules() const {
  const auto has_types = [&](std::string_view module) {
    const DebugFile* file = debug_info_.fetch(module);
    return file != nullptr && file->has_types();
  };
  if (debug_info_.layout() == nullptr && !has_types("kvm") && !has_types("vmlinux"))
    debug_info_.need("kvm");
  page_offset_base();
  const std::optional<Symbol> head = find_symbol("vmlinux", "modules");
  if (!head) throw Error(ErrorKind::unavailable, "the kernel's symbols have no 'modules'");
  const ModuleFields fields(layout_types());
  return read_modules(fields, memory_, {head->address});
}

void Kernel::fetch_debug_info() const {
  if (!finder_.can_fetch()) return;
  modules();
  for (const std::string_view module : {"kvm", "kvm-amd", "kvm-intel"}) debug_info_.fetch(module);
}

// Why kvm is of another build than what its fields were found in; empty: it is not.
std::string Kernel::wrong_build(const std::vector<Module>& modules) const {
  const std::string expected = debug_info_.layout_build_id("kvm");
  const Module* kvm = find_module(modules, "kvm");
  if (expected.empty() || kvm == nullptr) return "";
  // With the struct module of another build the note is looked for in the wrong place.
  const std::string running =
      if_readable([&] { return module_build_id(memory_, *kvm); }).value_or("");
  if (running == expected) return "";
  const LayoutSource* layout = debug_info_.layout();
  return fmt::format(
      "{} {} build-id {}, but the kvm module in the dump {}: it is of another build; give the "
      "right {} with -s",
      layout != nullptr ? layout->name() : debug_info_.file("kvm")->path(),
      layout != nullptr ? "is for" : "has", expected,
      running.empty() ? "shows no build-id where that file says it is"
                      : fmt::format("has {}", running),
      layout != nullptr ? "one, or kvm.ko," : "kvm.ko");
}

const Module* Kernel::module(std::string_view name) const {
  return find_module(modules(), name);
}

std::uint64_t Kernel::base_variable(std::string_view name, std::uint64_t level4,
                                    std::uint64_t level5) const {
  const std::optional<Symbol> variable = find_symbol("vmlinux", name);
  if (variable) return memory_.u64({variable->address});
  return vmcoreinfo_.paging_levels() == 5 ? level5 : level4;
}

VirtAddr Kernel::page_offset_base() const {
  if (!address_space_) return dump_.direct_map().start;
  if (!page_offset_base_) {
    page_offset_base_ = base_variable("page_offset_base", page_offset_level4, page_offset_level5);
    address_space_->set_direct_map({*page_offset_base_}, direct_map_size());
  }
  return {*page_offset_base_};
}

// The direct map ends with RAM. What lies behind may be close: KASLR packs the regions.
std::uint64_t Kernel::direct_map_size() const {
  if (!address_space_) return dump_.direct_map().size;
  if (!direct_map_size_) {
    std::uint64_t end = 0;
    for (const PhysRange& range : dump_.ranges()) end = std::max(end, range.end.value);
    const bool level5 = vmcoreinfo_.paging_levels() == 5;
    direct_map_size_ = std::min(end, level5 ? direct_map_size_level5 : direct_map_size_level4);
  }
  return *direct_map_size_;
}

std::optional<PhysAddr> Kernel::direct_phys(VirtAddr address) const {
  const VirtAddr base = page_offset_base();
  if (address < base || address - base >= direct_map_size()) return std::nullopt;
  return PhysAddr{address - base};
}

VirtAddr Kernel::page_struct(Pfn frame, std::uint64_t struct_size) const {
  if (!vmemmap_base_) vmemmap_base_ = base_variable("vmemmap_base", vmemmap_level4, vmemmap_level5);
  return {*vmemmap_base_ + frame.value * struct_size};
}

}  // namespace kvmscope
