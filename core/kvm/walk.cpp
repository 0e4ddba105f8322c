#include "core/kvm/walk.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"
#include "core/kvm/special_tables.hpp"

namespace kvmscope::kvm {
namespace {

constexpr unsigned index_bits = 9;

unsigned shift_of(unsigned level) {
  return page_shift + index_bits * (level - 1);
}

// An address beyond the root's own would be taken for another one: only its low bits lead anywhere.
void check_mapped(const TreeStart& start, std::uint64_t address) {
  const std::uint64_t size = entries_of(start.level, start.special) * leaf_size(start.level);
  const std::uint64_t inside = start.base + ((address - start.base) & (size - 1));
  if (canonical(start, inside) == address) return;
  throw_error(ErrorKind::usage, "{} {:#x} is outside of what this root can map: {:#x} to {:#x}{}",
              name(start.domain), address, start.base, start.base + size - 1,
              canonical(start, size - 1) != size - 1 ? ", sign-extended" : "");
}

}  // namespace

std::uint64_t canonical(const TreeStart& start, std::uint64_t address) {
  const unsigned bits = page_shift + index_bits * start.level;
  if (start.domain != Domain::gva || start.level < 4) return address;
  return static_cast<std::uint64_t>(sign_extend(address, bits));
}

Table top_table(const Kvm& kvm, const TreeStart& start) {
  Table table{};
  const unsigned bytes = 8 * entries_of(start.level, start.special);
  kvm.kernel().physical().peek(start.table, std::as_writable_bytes(std::span(table)).first(bytes));
  return table;
}

Error met_again(PhysAddr table) {
  return {ErrorKind::corrupt,
          fmt::format("the table at {:#x} is met again on its own path", table.value)};
}

std::string_view name(Domain domain) {
  switch (domain) {
    case Domain::gva: return "gva";
    case Domain::gpa: return "gpa";
    case Domain::l2_gpa: return "l2-gpa";
  }
  return "gva";
}

TreeStart start_of(const Root& root) {
  if (root.lost) throw Error(*root.lost);
  TreeStart start{root.hpa, root.level, root.special, root.page, Domain::gva, 0};
  if (root.pae) start.base = *root.pae * leaf_size(pae_level);
  if (root.mmu == MmuKind::guest_mmu)
    start.domain = Domain::l2_gpa;
  else if (root.direct)
    start.domain = Domain::gpa;
  return start;
}

TreeStart start_of(const Kvm& kvm, const ShadowPage& page) {
  const std::optional<PhysAddr> table = kvm.kernel().direct_phys(page.spt);
  if (!table || !is_aligned(page.spt.value, page_size))
    throw_error(ErrorKind::corrupt, "the spt of shadow page {:#x} is {:#x}, which is no table",
                page.address.value, page.spt.value);
  const Domain domain = page.role.guest_mode && page.role.direct ? Domain::l2_gpa
                        : page.role.direct                       ? Domain::gpa
                                                                 : Domain::gva;
  return {*table, page.level(), false, page, domain, 0};
}

SpteFormat format_of(const Kvm& kvm, const TreeStart& start) {
  SpteFormat format = kvm.spte_format();
  if (start.mmio_value) format.mmio_value = *start.mmio_value;
  return format;
}

std::vector<PathStep> walk_path(const Kvm& kvm, const TreeStart& start, std::uint64_t address) {
  check_mapped(start, address);
  const SpteFormat format = format_of(kvm, start);
  std::vector<PathStep> steps;
  PhysAddr table = start.table;
  std::optional<ShadowPage> page = start.page;
  std::optional<Error> page_lost;
  bool special = start.special;
  for (unsigned level = start.level; level >= 1; --level) {
    const unsigned count = entries_of(level, special);
    PathStep step;
    step.entry.depth = start.level - level;
    step.entry.level = level;
    step.entry.index = static_cast<unsigned>(address >> shift_of(level)) & (count - 1);
    step.entry.address = align_down(address, leaf_size(level));
    const PhysAddr at = table + 8 * step.entry.index;
    step.entry.spte_address = kvm.kernel().direct_map(at);
    const std::optional<Error> missing = lost_in([&] {
      step.entry.spte = with_context(
          [&] { return fmt::format("reading the level {} entry of {:#x}", level, address); },
          [&] { return kvm.kernel().physical().u64(at); });
    });
    if (missing && steps.empty()) throw Error(*missing);
    if (missing) {
      steps.back().lost = missing;
      break;
    }
    step.entry.special = special;
    step.entry.kind = special ? special_kind(step.entry.spte) : format.kind(step.entry.spte, level);
    step.parent = page;
    step.parent_lost = page_lost;
    const bool descend = step.entry.kind == SpteKind::table && level > 1;
    if (descend) {
      table = format.target(step.entry.spte);
      page_lost = lost_in([&] { page = kvm.page_of_table(table); });
      if (page_lost) page.reset();
      step.lost = page_lost;
      step.child = page;
      special = special_below(special, level);
    }
    steps.push_back(std::move(step));
    if (!descend) break;
  }
  return steps;
}

}  // namespace kvmscope::kvm
