#include "core/kvm/guest_paging.hpp"

#include <fmt/ranges.h>

#include <bit>

#include "core/base/bits.hpp"
#include "core/kvm/registers.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t cr0_pg = 1ULL << 31;
constexpr std::uint64_t cr4_pse = 1ULL << 4;
constexpr std::uint64_t cr4_pae = 1ULL << 5;
constexpr std::uint64_t cr4_la57 = 1ULL << 12;
constexpr std::uint64_t efer_lma = 1ULL << 10;
constexpr std::uint64_t efer_nx = 1ULL << 11;

constexpr std::uint64_t entry_writable = 1ULL << 1;
constexpr std::uint64_t entry_user = 1ULL << 2;
constexpr std::uint64_t entry_nx = 1ULL << 63;

constexpr unsigned pae_top = 3;

const PageFormat* format_of(const ControlRegisters& registers) {
  if ((registers.cr0 & cr0_pg) == 0) return nullptr;
  if ((registers.efer & efer_lma) != 0)
    return (registers.cr4 & cr4_la57) != 0 ? &x86_64_level5 : &x86_64_level4;
  if ((registers.cr4 & cr4_pae) != 0) return &pae;
  return (registers.cr4 & cr4_pse) != 0 ? &legacy_32bit_pse : &legacy_32bit;
}

void use_reserved(PageFormat& format, const ReservedBits& reserved) {
  for (unsigned level = 1; level <= format.levels; ++level) {
    LevelFormat& here = format.level[level - 1];
    here.table_reserved = reserved[0][level - 1];
    here.leaf_reserved = reserved[level == 1 ? 0 : 1][level - 1];
  }
}

void reserve(PageFormat& format, std::uint64_t bits) {
  for (LevelFormat& level : format.level) {
    level.table_reserved |= bits;
    level.leaf_reserved |= bits;
  }
}

std::optional<ReservedBits> read_reserved(const Kvm& kvm, const Vcpu& vcpu) {
  const VcpuFields& fields = kvm.layout().vcpu();
  VirtAddr at;
  const Field* field = nullptr;
  if (fields.guest_reserved.present()) {
    at = vcpu.fields.address_of(fields.guest_reserved);
    field = &fields.guest_reserved;
  } else if (fields.walk_mmu.present() && kvm.layout().mmu().guest_reserved.present()) {
    field = &kvm.layout().mmu().guest_reserved;
    at = vcpu.fields.pointer(fields.walk_mmu) + field->offset;
  }
  ReservedBits bits{};
  if (field == nullptr || field->size != sizeof bits) return std::nullopt;
  kvm.memory().read(at, std::as_writable_bytes(std::span(bits)));
  return bits;
}

std::optional<std::array<std::uint64_t, 4>> read_pdptrs(const Kvm& kvm, const Vcpu& vcpu) {
  if (!is_available(kvm, vcpu, "VCPU_EXREG_PDPTR")) return std::nullopt;
  const VcpuFields& fields = kvm.layout().vcpu();
  VirtAddr at;
  if (fields.pdptrs.present())
    at = vcpu.fields.address_of(fields.pdptrs);
  else if (fields.walk_mmu.present() && kvm.layout().mmu().pdptrs.present())
    at = vcpu.fields.pointer(fields.walk_mmu) + kvm.layout().mmu().pdptrs.offset;
  else
    return std::nullopt;
  std::array<std::uint64_t, 4> pdptrs{};
  kvm.memory().read(at, std::as_writable_bytes(std::span(pdptrs)));
  return pdptrs;
}

std::string access_of(const GuestPaging& paging,
                      const std::vector<WalkStep<GuestPhysAddr>>& steps) {
  bool write = true, user = true, execute = true;
  for (const WalkStep<GuestPhysAddr>& step : steps) {
    const bool is_pdpte = paging.format.levels == pae_top && step.level == pae_top;
    if (is_pdpte) continue;  // has no such bits
    write = write && (step.entry & entry_writable) != 0;
    user = user && (step.entry & entry_user) != 0;
    execute = execute && ((step.entry & entry_nx) == 0 || (paging.registers.efer & efer_nx) == 0);
  }
  return fmt::format("r{}{}{}", write ? 'w' : '-', execute ? 'x' : '-', user ? 'u' : '-');
}

std::vector<unsigned> bit_numbers(std::uint64_t bits) {
  std::vector<unsigned> numbers;
  for (; bits != 0; bits &= bits - 1)
    numbers.push_back(static_cast<unsigned>(std::countr_zero(bits)));
  return numbers;
}

std::string fault_of(const PageFormat& format, const WalkStep<GuestPhysAddr>& last) {
  const std::string where = fmt::format("level {} entry {:#x}", last.level, last.entry);
  if (last.kind == StepKind::nonpresent)
    return fmt::format("{}: its present bit (bit 0) is clear", where);
  const LevelFormat& level = format.at(last.level);
  const bool leaf =
      level.table_mask == 0 || (level.leaf_mask != 0 && (last.entry & format.large_page_bit) != 0);
  const std::vector<unsigned> bits =
      bit_numbers(last.entry & (leaf ? level.leaf_reserved : level.table_reserved));
  return fmt::format("{}: reserved bit{} {} set", where, bits.size() == 1 ? "" : "s",
                     fmt::join(bits, ", "));
}

GuestWalk identity_walk(std::uint64_t gva) {
  GuestWalk walk;
  walk.state = GuestState::mapped;
  walk.gpa = GuestPhysAddr{gva};
  walk.access = "rwxu";
  return walk;
}

bool is_addressable(const GuestPaging& paging, std::uint64_t gva) {
  return paging.enabled ? is_canonical(paging.format, gva) : gva <= low_bits(32);
}

// In PAE mode the CPU takes the top entry from registers.
void walk_steps(const Reader<GuestPhysAddr>& memory, const GuestPaging& paging, std::uint64_t gva,
                GuestWalk& walk) {
  const PageTables<GuestPhysAddr> tables{memory, paging.format, paging.root};
  if (!paging.pdptrs) {
    walk_pages(tables, gva, [&](const auto& step) { walk.steps.push_back(step); });
    return;
  }
  const unsigned index = static_cast<unsigned>(gva >> paging.format.at(pae_top).shift & 3);
  WalkStep<GuestPhysAddr> step = decode_entry(tables, pae_top, (*paging.pdptrs)[index], gva);
  step.entry_address = paging.root + 8ULL * index;
  walk.steps.push_back(step);
  for (unsigned level = pae_top - 1; step.kind == StepKind::table; --level) {
    step = read_step(tables, level, step.target, gva);
    walk.steps.push_back(step);
  }
}

}  // namespace

unsigned memslot_space(const Kvm& kvm, const Vcpu& vcpu) {
  const StructCopy mmu(kvm.layout().mmu(), kvm.memory(),
                       vcpu.fields.address_of(kvm.layout().vcpu().root_mmu));
  const auto word = static_cast<std::uint32_t>(mmu.get(kvm.layout().mmu().root_role));
  return decode_role(kvm.layout().role(), word).smm ? 1 : 0;
}

ControlRegisters control_registers(const Kvm& kvm, const Vcpu& vcpu) {
  const VcpuFields& fields = kvm.layout().vcpu();
  return {.cr0 = vcpu.fields.get(fields.cr0),
          .cr3 = vcpu.fields.get(fields.cr3),
          .cr4 = vcpu.fields.get(fields.cr4),
          .efer = vcpu.fields.get(fields.efer)};
}

std::string_view paging_name(const ControlRegisters& registers) {
  const PageFormat* format = format_of(registers);
  if (format == nullptr) return "none";
  return format == &legacy_32bit_pse ? legacy_32bit.name : format->name;
}

GuestPaging guest_paging(const ControlRegisters& registers,
                         const std::optional<ReservedBits>& reserved) {
  GuestPaging paging;
  paging.registers = registers;
  const PageFormat* format = format_of(registers);
  if (format == nullptr) return paging;
  paging.enabled = true;
  paging.format = *format;
  paging.root = GuestPhysAddr{registers.cr3 & format->root_mask};
  if (reserved)
    use_reserved(paging.format, *reserved);
  else if (format->entry_bytes == 8 && (registers.efer & efer_nx) == 0)
    reserve(paging.format, entry_nx);
  return paging;
}

GuestPaging guest_paging(const Kvm& kvm, const Vcpu& vcpu, std::optional<std::uint64_t> cr3) {
  if (kvm.active_mmu(vcpu) == MmuKind::guest_mmu)
    throw_error(ErrorKind::usage,
                "vCPU {} of VM {} runs a nested guest with page tables below its own: its virtual "
                "addresses are not translated (`path` walks guest_mmu by the nested guest's "
                "physical addresses)",
                vcpu.fields.get(kvm.layout().vcpu().vcpu_id), vcpu.vm);
  ControlRegisters registers = control_registers(kvm, vcpu);
  registers.cr3 = cr3.value_or(registers.cr3);
  GuestPaging paging = guest_paging(registers, read_reserved(kvm, vcpu));
  if (!cr3 && paging.enabled && paging.format.levels == pae_top)
    paging.pdptrs = read_pdptrs(kvm, vcpu);
  paging.as_id = memslot_space(kvm, vcpu);
  return paging;
}

std::string_view name(GuestState state) {
  switch (state) {
    case GuestState::mapped: return "mapped";
    case GuestState::nonpresent: return "nonpresent";
    case GuestState::reserved: return "reserved";
    case GuestState::noncanonical: return "noncanonical";
    case GuestState::lost: return "lost";
  }
  return "lost";
}

GuestWalk walk_guest(const Reader<GuestPhysAddr>& memory, const GuestPaging& paging,
                     std::uint64_t gva) {
  GuestWalk walk;
  if (!is_addressable(paging, gva)) {
    walk.state = GuestState::noncanonical;
    walk.fault =
        fmt::format("{:#x} is no {}", gva,
                    paging.enabled && paging.format.sign_extended
                        ? "canonical address of " + std::string(paging.format.name) + " paging"
                        : "32-bit address");
    return walk;
  }
  if (!paging.enabled) return identity_walk(gva);
  walk.lost = lost_in([&] { walk_steps(memory, paging, gva, walk); });
  if (walk.lost) return walk;
  const WalkStep<GuestPhysAddr>& last = walk.steps.back();
  if (last.kind == StepKind::leaf) {
    walk.state = GuestState::mapped;
    walk.gpa = last.target;
    walk.page_bytes = last.page_bytes;
    walk.access = access_of(paging, walk.steps);
    return walk;
  }
  walk.state = last.kind == StepKind::reserved ? GuestState::reserved : GuestState::nonpresent;
  walk.fault = fault_of(paging.format, last);
  return walk;
}

}  // namespace kvmscope::kvm
