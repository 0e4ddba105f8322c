#include "core/kernel/kernel_btf.hpp"

#include <algorithm>
#include <filesystem>

#include "core/base/error.hpp"
#include "core/base/file.hpp"
#include "core/kernel/fields.hpp"
#include "core/object/containers.hpp"
#include "core/types/type_modules.hpp"

namespace kvmscope {
namespace {

// Debian's vmlinux has 5 MB of it, kvm 170 KB.
constexpr std::uint64_t most_bytes = 64 << 20;
constexpr std::uint64_t most_modules = 10'000;

// struct btf_module, kernel/bpf/btf.c.
struct BtfModuleFields : FieldGroup {
  explicit BtfModuleFields(const Types& types) : FieldGroup(types, "struct btf_module") {}
  Field list = field({"list"});
  Field btf = field({"btf"});
};

// struct btf, kernel/bpf/btf.c: it keeps a copy of what the module brought along, which is freed
// when the module is loaded.
struct BtfFields : FieldGroup {
  explicit BtfFields(const Types& types) : FieldGroup(types, "struct btf") {}
  Field data = field({"data"});
  Field data_size = field({"data_size"});
  Field name = field({"name"});
};

std::vector<std::byte> read_blob(const VirtReader& memory, VirtAddr at, std::uint64_t size) {
  if (size > most_bytes)
    throw_error(ErrorKind::corrupt, "the BTF at {:#x} claims {} bytes", at.value, size);
  std::vector<std::byte> data(size);
  memory.read(at, data);
  return data;
}

// A file in /sys says how large it is.
std::string read_file(const std::string& path, OpenLog* log) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  return read_text(path, log, error ? 0 : std::min<std::uintmax_t>(size, most_bytes));
}

Bytes bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

std::shared_ptr<KernelBtf> KernelBtf::in_memory(const VirtReader& memory,
                                                const AddressOf& address_of) {
  const auto start = address_of("__start_BTF");
  const auto stop = address_of("__stop_BTF");
  if (!start || !stop || *stop <= *start) return nullptr;
  const std::vector<std::byte> data = read_blob(memory, *start, *stop - *start);
  std::shared_ptr<KernelBtf> all(
      new KernelBtf(std::make_unique<BtfTypes>(data, "the BTF of vmlinux")));
  // Without CONFIG_DEBUG_INFO_BTF_MODULES there is none.
  if (const auto head = address_of("btf_modules")) all->add_modules(memory, *head);
  return all;
}

void KernelBtf::add_modules(const VirtReader& memory, VirtAddr head) {
  Types types;
  types.add("vmlinux", [this] { return vmlinux_.get(); });
  const BtfModuleFields module_fields(types);
  const BtfFields fields(types);
  walk_list(
      memory, head,
      [&](VirtAddr node) {
        const StructCopy module(module_fields, memory, node - module_fields.list.offset);
        const StructCopy btf(fields, memory, module.pointer(module_fields.btf));
        const std::string name = text_of(btf.bytes(fields.name));
        if (std::ranges::find(kvm_modules, name) != kvm_modules.end())
          add_module(name, read_blob(memory, btf.pointer(fields.data), btf.get(fields.data_size)));
      },
      most_modules);
}

std::shared_ptr<KernelBtf> KernelBtf::in_folder(const std::string& folder, OpenLog* log) {
  const auto path_of = [&](std::string_view name) {
    return (std::filesystem::path(folder) / name).string();
  };
  std::error_code error;
  const std::string vmlinux = path_of("vmlinux");
  if (!std::filesystem::exists(vmlinux, error)) return nullptr;
  std::shared_ptr<KernelBtf> all(
      new KernelBtf(std::make_unique<BtfTypes>(bytes_of(read_file(vmlinux, log)), vmlinux)));
  for (const std::string_view name : kvm_modules)
    if (std::filesystem::exists(path_of(name), error))
      all->add_module(std::string(name), bytes_of(read_file(path_of(name), log)));
  return all;
}

void KernelBtf::add_module(const std::string& name, Bytes data) {
  modules_.insert_or_assign(
      name, std::make_unique<BtfTypes>(data, fmt::format("the BTF of {}", name), vmlinux_.get()));
}

const std::string& KernelBtf::name() const {
  static const std::string name = "the kernel's own BTF";
  return name;
}

std::string_view KernelBtf::limits() const {
  return "the kernel's own BTF has types, but no functions, lines and variables: trace unsync, "
         "trace at and the types of variables need debug files";
}

const TypeSource* KernelBtf::types(std::string_view module) const {
  if (module == "vmlinux") return vmlinux_.get();
  const auto found = modules_.find(kernel_name(module));
  return found != modules_.end() ? found->second.get() : nullptr;
}

}  // namespace kvmscope
