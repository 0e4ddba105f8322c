#include "core/kvm/host_walk.hpp"

#include "core/base/bits.hpp"
#include "core/base/interrupt.hpp"
#include "core/kernel/tasks.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t page_protnone = 1ULL << 8;  // _PAGE_PROTNONE, where _PAGE_PRESENT is clear
constexpr std::uint64_t frame_bits = bit_range(12, 51);

PhysAddr top_table(const Kvm& kvm, const Vm& vm) {
  const MmFields fields(kvm.kernel().layout_types());
  const VirtAddr mm = vm.fields.pointer(kvm.layout().vm().mm);
  const VirtAddr pgd = StructCopy(fields, kvm.memory(), mm).pointer(fields.pgd);
  const std::optional<PhysAddr> table = kvm.kernel().direct_phys(pgd);
  if (!table || !is_aligned(pgd.value, page_size))
    throw_error(ErrorKind::corrupt, "the pgd of the mm at {:#x} is {:#x}, which is no table",
                mm.value, pgd.value);
  return *table;
}

HostState state_of(const WalkStep<PhysAddr>& last) {
  if (last.kind == StepKind::leaf) return HostState::mapped;
  if (last.kind == StepKind::reserved) return HostState::reserved;
  if (last.entry == 0) return HostState::absent;
  return (last.entry & page_protnone) != 0 ? HostState::prot_none : HostState::swapped;
}

// A non-present entry has the bits of its frame inverted (asm/pgtable-invert.h, since v4.18), so
// that L1TF leads nowhere.
void find_prot_none(const PageFormat& format, std::uint64_t ignored, std::uint64_t hva,
                    HostWalk& walk) {
  const WalkStep<PhysAddr>& last = walk.steps.back();
  walk.page_bytes = 1ULL << format.at(last.level).shift;
  const std::uint64_t inside = walk.page_bytes - 1;
  walk.hpa = PhysAddr{((~last.entry & frame_bits & ~ignored) & ~inside) | (hva & inside)};
}

PageTables<PhysAddr> owner_tables(const Kvm& kvm, const Vm& vm) {
  const VmCoreInfo& info = kvm.kernel().vmcoreinfo();
  const PageFormat& format = info.paging_levels() == 5 ? x86_64_level5 : x86_64_level4;
  return {kvm.kernel().physical(), format, top_table(kvm, vm), info.sme_mask()};
}

// The mapped pages of a range, table by table.
struct HostPages {
  const PageTables<PhysAddr>& tables;
  std::uint64_t first;
  std::uint64_t last;
  const std::function<void(std::uint64_t hva, std::uint64_t bytes)>& visit;
  const std::function<void(const Error&, std::uint64_t hva, std::uint64_t bytes)>& lost;

  // `start`: the first address that the table maps.
  void walk(PhysAddr table, unsigned level, std::uint64_t start) const {
    check_interrupt();
    Table entries;
    const std::optional<Error> failed =
        lost_in([&] { tables.memory.read(table, std::as_writable_bytes(std::span(entries))); });
    const std::uint64_t size = 1ULL << tables.format.at(level).shift;
    if (failed) return lost(*failed, start, size * entries.size());
    for (unsigned index = 0; index < entries.size(); ++index) {
      const std::uint64_t hva = start + index * size;
      if (hva > last || hva + (size - 1) < first || entries[index] == 0) continue;
      const WalkStep<PhysAddr> step = decode_entry(tables, level, entries[index], hva);
      if (step.kind == StepKind::leaf) visit(hva, size);
      if (step.kind == StepKind::table) walk(step.target, level - 1, hva);
    }
  }
};

}  // namespace

std::string_view name(HostState state) {
  switch (state) {
    case HostState::mapped: return "mapped";
    case HostState::absent: return "absent";
    case HostState::prot_none: return "prot_none";
    case HostState::swapped: return "swapped";
    case HostState::reserved: return "reserved";
    case HostState::lost: return "lost";
  }
  return "lost";
}

HostWalk walk_host(const Kvm& kvm, const Vm& vm, std::uint64_t hva) {
  return with_context(
      [&] { return fmt::format("walking the page tables of the owner of VM {}", vm.index); },
      [&] {
        const PageTables<PhysAddr> tables = owner_tables(kvm, vm);
        HostWalk walk;
        walk.lost = lost_in([&] {
          walk_pages(tables, hva,
                     [&](const WalkStep<PhysAddr>& step) { walk.steps.push_back(step); });
        });
        if (walk.lost) return walk;
        const WalkStep<PhysAddr>& last = walk.steps.back();
        walk.state = state_of(last);
        if (walk.state == HostState::mapped) {
          walk.hpa = last.target;
          walk.page_bytes = last.page_bytes;
        } else if (walk.state == HostState::prot_none) {
          find_prot_none(tables.format, tables.ignored_bits, hva, walk);
        }
        return walk;
      });
}

void each_host_page(
    const Kvm& kvm, const Vm& vm, std::uint64_t first, std::uint64_t last,
    const std::function<void(std::uint64_t hva, std::uint64_t bytes)>& visit,
    const std::function<void(const Error&, std::uint64_t hva, std::uint64_t bytes)>& lost) {
  const PageTables<PhysAddr> tables = owner_tables(kvm, vm);
  HostPages{tables, first, last, visit, lost}.walk(tables.root, tables.format.levels, 0);
}

}  // namespace kvmscope::kvm
