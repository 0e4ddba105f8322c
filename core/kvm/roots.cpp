// The root slots of a vCPU: current, previous and PAE ones, of both its mmus.

#include <array>
#include <span>

#include "core/base/error.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t invalid_page = ~0ULL;  // INVALID_PAGE
constexpr unsigned pae_entries = 4;
constexpr unsigned pae_level = 3;  // PT32E_ROOT_LEVEL

}  // namespace

MmuKind Kvm::active_mmu(const Vcpu& vcpu) const {
  const VcpuFields& fields = layout_.vcpu();
  // Before v5.0 the one mmu is embedded where later kernels keep a pointer to it.
  if (strip(*fields.mmu.type).kind != TypeKind::pointer) return MmuKind::root_mmu;
  const VirtAddr active = vcpu.fields.pointer(fields.mmu);
  if (active == vcpu.fields.address_of(fields.root_mmu)) return MmuKind::root_mmu;
  if (fields.guest_mmu.present() && active == vcpu.fields.address_of(fields.guest_mmu))
    return MmuKind::guest_mmu;
  throw_error(ErrorKind::corrupt,
              "arch.mmu of vCPU {} of VM {} is {:#x}, which is neither its root_mmu nor its "
              "guest_mmu",
              vcpu.idx, vcpu.vm, active.value);
}

std::vector<Root> Kvm::roots(const Vcpu& vcpu) const {
  return with_context(
      [&] { return fmt::format("reading the roots of vCPU {} of VM {}", vcpu.idx, vcpu.vm); },
      [&] {
        const VcpuFields& fields = layout_.vcpu();
        const std::optional<MmuKind> active = if_readable([&] { return active_mmu(vcpu); });
        std::vector<Root> roots;
        add_roots(vcpu, MmuKind::root_mmu, vcpu.fields.address_of(fields.root_mmu),
                  active == MmuKind::root_mmu, roots);
        if (!fields.guest_mmu.present()) return roots;
        const VirtAddr guest_mmu = vcpu.fields.address_of(fields.guest_mmu);
        const StructCopy copy(layout_.mmu(), memory(), guest_mmu);
        // Its level is set when nested paging is first used. The rest of the role is not: newer
        // kernels mark it invalid when the guest's CPUID is set (kvm_mmu_after_set_cpuid()).
        const auto role = static_cast<std::uint32_t>(copy.get(layout_.mmu().root_role));
        if (decode_role(layout_.role(), role).level != 0 || active == MmuKind::guest_mmu)
          add_roots(vcpu, MmuKind::guest_mmu, guest_mmu, active == MmuKind::guest_mmu, roots);
        return roots;
      });
}

void Kvm::add_roots(const Vcpu& vcpu, MmuKind kind, VirtAddr mmu, bool active,
                    std::vector<Root>& roots) const {
  const MmuFields& fields = layout_.mmu();
  const RootInfoFields& info = layout_.root_info();
  const StructCopy copy(fields, memory(), mmu);
  const auto role_word = static_cast<std::uint32_t>(copy.get(fields.root_role));
  Root root;
  root.vm = vcpu.vm;
  root.vcpu = vcpu.fields.get(layout_.vcpu().vcpu_id);
  root.mmu = kind;
  root.is_active_mmu = active;
  root.pgd = copy.find(fields.root_pgd);
  fill_root(root, copy.get(fields.root_hpa), role_word, copy);
  roots.push_back(root);
  if (root.special && root.level == pae_level) add_pae_entries(root, roots);

  const Bytes previous = copy.bytes(fields.prev_roots);
  const std::uint64_t size = fields.prev_roots.element_size();
  for (unsigned i = 0; i < fields.prev_roots.count(); ++i) {
    const Bytes entry = previous.subspan(i * size, size);
    root.prev = i;
    root.pgd = load<std::uint64_t>(entry, info.pgd.offset);
    fill_root(root, load<std::uint64_t>(entry, info.hpa.offset), role_word, copy);
    roots.push_back(root);
  }
}

// Finds the shadow page of a root, or which special table it is.
void Kvm::fill_root(Root& root, std::uint64_t hpa, std::uint32_t role_word,
                    const StructCopy& mmu) const {
  root.valid = hpa != invalid_page;
  root.page.reset();
  root.lost.reset();
  root.special = false;
  root.hpa = {};
  root.level = 0;
  root.direct = false;
  if (!root.valid) return;
  root.hpa = spte_format().target(hpa);
  const Role role = decode_role(layout_.role(), role_word);
  root.level = role.level;
  root.direct = role.direct;
  for (const Field* table :
       {&layout_.mmu().pae_root, &layout_.mmu().pml4_root, &layout_.mmu().pml5_root}) {
    const std::uint64_t address = mmu.find(*table).value_or(0);
    if (address == 0 || kernel_.direct_map(root.hpa).value != address) continue;
    root.special = true;
    return;
  }
  // A guest's CR3 outside every memslot gives a dummy root: the zero page, with no shadow page.
  root.lost = lost_in([&] { root.page = page_of_table(root.hpa); });
  if (root.lost) root.page.reset();
  if (!root.page) return;
  root.level = root.page->level();
  root.direct = root.page->role.direct;
}

void Kvm::add_pae_entries(const Root& root, std::vector<Root>& roots) const {
  std::array<std::uint64_t, pae_entries> table{};
  kernel_.physical().read(root.hpa, std::as_writable_bytes(std::span(table)));
  for (unsigned i = 0; i < pae_entries; ++i) {
    Root entry = root;
    entry.pae = i;
    entry.special = false;
    // Absent is 0, or ~0 until v5.11.
    entry.valid = (table[i] & 1) != 0 && table[i] != invalid_page;
    entry.hpa = entry.valid ? spte_format().target(table[i]) : PhysAddr{};
    entry.level = entry.valid ? pae_level - 1 : 0;
    entry.page.reset();
    entry.lost.reset();
    if (entry.valid) entry.lost = lost_in([&] { entry.page = page_of_table(entry.hpa); });
    if (entry.lost) entry.page.reset();
    if (entry.page) entry.direct = entry.page->role.direct;
    roots.push_back(entry);
  }
}

}  // namespace kvmscope::kvm
