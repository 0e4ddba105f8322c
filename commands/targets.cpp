#include "commands/targets.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "commands/steady.hpp"
#include "core/base/error.hpp"

namespace kvmscope {
namespace {

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return number;
}

bool looks_like_address(std::string_view text) {
  return text.starts_with("0x") ||
         (text.size() == 16 &&
          text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos);
}

// `missing` names what was not found. It may be among what could not be read: then it was not typed
// wrong.
[[noreturn]] void throw_not_found(const RowSink& rows, std::string_view missing,
                                  std::string_view see) {
  throw_error(rows.damaged() ? ErrorKind::fault : ErrorKind::usage, "{}{} (see {})", missing,
              rows.damaged() ? " among what could be read" : "", see);
}

kvm::Vm only_one(std::vector<kvm::Vm> matches, std::string_view text, std::size_t count,
                 const RowSink& rows) {
  if (matches.size() == 1) return std::move(matches.front());
  if (matches.empty()) {
    const std::string there = count == 1 ? std::string("is one VM, 0")
                                         : fmt::format("are {} VMs, numbered from 0", count);
    throw_not_found(rows,
                    rows.damaged() ? fmt::format("no VM '{}'", text)
                                   : fmt::format("no VM '{}': there {}", text, there),
                    "`vms`");
  }
  std::vector<std::string> names;
  for (const kvm::Vm& vm : matches) names.push_back(fmt::format("{}", vm.index));
  throw_error(ErrorKind::usage, "several VMs match '{}': {}", text, fmt::join(names, ", "));
}

// How many vCPUs a VM has, in a dump by the copy that was read.
std::uint64_t vcpus_now(const kvm::Kvm& kvm, const kvm::Vm& vm) {
  if (kvm.kernel().steady() == nullptr) return kvm.vcpu_count(vm);
  return kvm.vcpu_count(kvm.vm_at(vm.address, vm.index));
}

// Throws Error{torn} when the VM died meanwhile.
kvm::Vcpu vcpu_now(const kvm::Kvm& kvm, const kvm::Vm& vm, std::uint64_t idx) {
  if (kvm.kernel().steady() == nullptr) return kvm.vcpu_at(vm, idx);
  return kvm.vcpu_at(kvm.vm_at(vm.address, vm.index), idx);
}

// The root slot that a name means. Without an mmu it is the active one.
bool matches(const kvm::RootName& name, const kvm::Root& root) {
  const bool mmu = name.mmu ? *name.mmu == root.mmu : root.is_active_mmu;
  return mmu && name.vcpu == root.vcpu && name.prev == root.prev && name.pae == root.pae;
}

NamedStart start_at(const kvm::Kvm& kvm, const kvm::Vm& vm, const kvm::Root& root) {
  NamedStart start{vm.index, root.name(), kvm::start_of(root)};
  start.tree.mmio_value = vm.fields.find(kvm.layout().vm().shadow_mmio_value);
  return start;
}

NamedStart root_by_name(const kvm::Kvm& kvm, const kvm::RootName& name, std::string_view text,
                        RowSink& rows) {
  const kvm::Vm vm = find_vm(kvm, name.vm, rows);
  std::optional<kvm::Root> found;
  for (kvm::Root& root : root_slots(kvm, vm, rows))
    if (matches(name, root)) found = std::move(root);
  if (!found)
    throw_not_found(rows, fmt::format("no root slot '{}'", text),
                    fmt::format("`roots {}`", name.vm));
  // In a kernel that runs it may hold a root again in the next moment: nobody typed it wrong.
  const bool live = kvm.kernel().steady() != nullptr;
  if (!found->valid)
    throw_error(live ? ErrorKind::torn : ErrorKind::usage,
                "root slot {} is empty{} (see `roots {}`)", text, live ? " at the moment" : "",
                name.vm);
  return start_at(kvm, vm, *found);
}

// A shadow page's address, or the physical address of a root's table.
NamedStart root_by_address(const kvm::Kvm& kvm, std::uint64_t address, RowSink& rows) {
  std::optional<NamedStart> found;
  for (NamedStart& root : all_roots(kvm, rows)) {
    const bool same_page = root.tree.page && root.tree.page->address.value == address;
    if (!found && (same_page || root.tree.table.value == address)) found = std::move(root);
  }
  if (found) return *found;
  const std::optional<kvm::ShadowPage> page = if_readable([&]() -> kvm::ShadowPage {
    kvm::ShadowPage candidate = kvm.shadow_page({address});
    const std::optional<PhysAddr> table = kvm.kernel().direct_phys(candidate.spt);
    if (!table) throw Error(ErrorKind::corrupt, "its spt is not in the direct map");
    const std::optional<kvm::ShadowPage> owner = kvm.page_of_table(*table);
    if (!owner || owner->address.value != address)
      throw Error(ErrorKind::corrupt, "it does not own its table");
    return candidate;
  });
  if (!page)
    throw_not_found(rows,
                    fmt::format("{:#x} is neither a shadow page nor the hpa of a root", address),
                    "`roots`, `pages`");
  return {std::nullopt, fmt::format("{:#x}", address), kvm::start_of(kvm, *page)};
}

}  // namespace

std::vector<kvm::Vm> all_vms(const kvm::Kvm& kvm, RowSink& rows) {
  std::vector<VirtAddr> addresses;
  settle_or_note(kvm.kernel(), rows, "VMs may be missing", [&] {
    addresses.clear();
    kvm.each_vm_address([&](VirtAddr at) { addresses.push_back(at); });
  });
  std::reverse(addresses.begin(), addresses.end());
  std::vector<kvm::Vm> vms;
  for (unsigned index = 0; index < addresses.size(); ++index)
    settle_or_note(kvm.kernel(), rows, fmt::format("VM {} is left out", index), [&] {
      kvm::Vm vm = kvm.vm_at(addresses[index], index);
      std::erase_if(vms, [&](const kvm::Vm& other) { return other.index == index; });
      vms.push_back(std::move(vm));
    });
  return vms;
}

void steadily_by_vm(const kvm::Kvm& kvm, RowSink& rows, const std::vector<kvm::Vm>& vms,
                    const std::function<std::string(const kvm::Vm&)>& what,
                    const std::function<void(const kvm::Vm&)>& make) {
  const auto part = [&](std::size_t i) {
    if (kvm.kernel().steady() == nullptr) return make(vms[i]);
    make(kvm.vm_at(vms[i].address, vms[i].index));
  };
  steadily(kvm.kernel(), rows, {.count = vms.size(), .make = part, .what = [&](std::size_t i) {
                                  return what(vms[i]);
                                }});
}

kvm::Vm find_vm(const kvm::Kvm& kvm, std::string_view text, RowSink& rows) {
  std::vector<kvm::Vm> vms = all_vms(kvm, rows);
  const std::size_t count = vms.size();
  const std::optional<std::uint64_t> index = whole_number(text);
  std::function<bool(const kvm::Vm&)> wanted;
  if (index) {
    wanted = [&](const kvm::Vm& vm) { return vm.index == *index; };
  } else if (text.starts_with("pid:")) {
    const std::optional<std::uint64_t> pid = whole_number(text.substr(4));
    if (!pid) throw_error(ErrorKind::usage, "'{}' is not pid:NUMBER", text);
    wanted = [&kvm, pid](const kvm::Vm& vm) {
      const std::optional<Task> owner =
          if_readable([&] {
            return kvm.tasks().owner(vm.fields.pointer(kvm.layout().vm().mm));
          }).value_or(std::nullopt);
      return owner && static_cast<std::uint64_t>(owner->tgid) == *pid;
    };
  } else if (looks_like_address(text)) {
    const VirtAddr address{parse_number(text)};
    wanted = [address](const kvm::Vm& vm) { return vm.address == address; };
  } else {
    wanted = [&](const kvm::Vm& vm) {
      return if_readable([&] { return kvm.id(vm); }).value_or(std::nullopt) == std::string(text);
    };
  }
  std::erase_if(vms, [&](const kvm::Vm& vm) { return !wanted(vm); });
  return only_one(std::move(vms), text, count, rows);
}

std::vector<kvm::Vm> selected_vms(const kvm::Kvm& kvm, const Arguments& args, RowSink& rows) {
  if (const std::optional<std::string> text = args.text("VM")) {
    std::vector<kvm::Vm> one;
    one.push_back(find_vm(kvm, *text, rows));
    return one;
  }
  std::vector<kvm::Vm> vms = all_vms(kvm, rows);
  if (vms.empty() && rows.status() == 0) rows.note("kvm is loaded, and no VM is running");
  return vms;
}

void each_vcpu(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows,
               const std::function<void(const kvm::Vcpu&)>& visit) {
  std::uint64_t count = 0;
  settle_or_note(kvm.kernel(), rows, fmt::format("the vCPUs of VM {} are left out", vm.index),
                 [&] { count = vcpus_now(kvm, vm); });
  for (std::uint64_t idx = 0; idx < count; ++idx)
    rows.attempt([&] { return fmt::format("vCPU {} of VM {} is incomplete", idx, vm.index); },
                 [&] { visit(vcpu_now(kvm, vm, idx)); });
}

void steadily_by_vcpu(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows,
                      const std::function<void(const kvm::Vcpu&)>& make) {
  std::uint64_t done = 0;
  // vCPUs that come while others are read are read, too; none goes before its VM does.
  for (;;) {
    std::uint64_t count = done;
    settle_or_note(kvm.kernel(), rows, fmt::format("the vCPUs of VM {} are left out", vm.index),
                   [&] { count = vcpus_now(kvm, vm); });
    if (count <= done) return;
    steadily(kvm.kernel(), rows,
             {.count = count - done,
              .make = [&](std::size_t i) { make(vcpu_now(kvm, vm, done + i)); },
              .what =
                  [&](std::size_t i) {
                    return fmt::format("vCPU {} of VM {} is incomplete", done + i, vm.index);
                  }});
    done = count;
    if (kvm.kernel().steady() == nullptr) return;
  }
}

std::vector<kvm::Root> root_slots(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows) {
  std::vector<kvm::Root> slots;
  std::uint64_t count = 0;
  settle_or_note(kvm.kernel(), rows, fmt::format("the vCPUs of VM {} are left out", vm.index),
                 [&] { count = vcpus_now(kvm, vm); });
  for (std::uint64_t idx = 0; idx < count; ++idx) {
    std::vector<kvm::Root> of_vcpu;
    settle_or_note(kvm.kernel(), rows, fmt::format("vCPU {} of VM {} is incomplete", idx, vm.index),
                   [&] { of_vcpu = kvm.roots(vcpu_now(kvm, vm, idx)); });
    std::move(of_vcpu.begin(), of_vcpu.end(), std::back_inserter(slots));
  }
  return slots;
}

NamedStart find_root(const kvm::Kvm& kvm, std::string_view text, RowSink& rows) {
  if (looks_like_address(text)) return root_by_address(kvm, parse_number(text), rows);
  const std::optional<kvm::RootName> name = kvm::parse_root_name(text);
  if (!name)
    throw_error(ErrorKind::usage,
                "'{}' is not a ROOT: VM.VCPU[.root_mmu|.guest_mmu][.prevN][.paeN], a shadow "
                "page's address or a root's hpa",
                text);
  return root_by_name(kvm, *name, text, rows);
}

kvm::ShadowPage root_page_now(const kvm::Kvm& kvm, const NamedStart& root) {
  const kvm::ShadowPage& known = *root.tree.page;
  if (kvm.kernel().steady() == nullptr) return known;
  kvm.use_identity(known);
  return kvm.shadow_page(known.address);
}

std::vector<NamedStart> roots_of(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows) {
  std::vector<NamedStart> roots;
  std::set<std::uint64_t> seen;
  for (const kvm::Root& root : root_slots(kvm, vm, rows)) {
    if (!root.valid || !seen.insert(root.hpa.value).second) continue;
    rows.attempt([&] { return fmt::format("root {} is left out", root.name()); },
                 [&] { roots.push_back(start_at(kvm, vm, root)); });
  }
  return roots;
}

std::vector<NamedStart> all_roots(const kvm::Kvm& kvm, RowSink& rows) {
  std::vector<NamedStart> roots;
  std::set<std::uint64_t> seen;
  for (const kvm::Vm& vm : all_vms(kvm, rows))
    for (NamedStart& root : roots_of(kvm, vm, rows))
      if (seen.insert(root.tree.table.value).second) roots.push_back(std::move(root));
  return roots;
}

}  // namespace kvmscope
