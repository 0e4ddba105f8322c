#include "core/kvm/access_verdict.hpp"

#include "core/kvm/access_case.hpp"
#include "core/kvm/memslots.hpp"

namespace kvmscope::kvm {
namespace {

std::string spte_text(const Mapping& one) {
  return fmt::format("SPTE {:#x} at {:#x} (level {})", one.place->spte, one.spte_address.value,
                     one.level);
}

using Evidence = std::optional<std::string>;

Evidence invalidating(const AccessCase& c) {
  const Invalidation& now = c.access.invalidation;
  if (now.in_progress == 0) return std::nullopt;
  // No user address is as small as a gfn, so one of both tells.
  const auto covers = [&](std::uint64_t at) { return at >= *now.start && at < *now.end; };
  if (now.start && now.end && !covers(c.access.hva) && !covers(to_gfn(c.access.gpa).value))
    return std::nullopt;
  return fmt::format(
      "{} MMU notifier(s) at work (mmu_invalidate_in_progress, {:#x} to {:#x}): a fault is retried "
      "until they end",
      now.in_progress, now.start.value_or(0), now.end.value_or(~0ULL));
}

Evidence frozen(const AccessCase& c) {
  const Entry* entry = c.step(SpteKind::frozen);
  if (entry == nullptr) return std::nullopt;
  return fmt::format(
      "SPTE {:#x} at {:#x} (level {}) is frozen: another thread takes its table away, and a fault "
      "is retried until it has",
      entry->spte, entry->spte_address.value, entry->level);
}

Evidence mmio_of(const AccessCase& c, bool stale) {
  if (c.access.slot != nullptr) return std::nullopt;
  const MmioFormat format = read_mmio_format(c.kvm.kernel(), c.kvm.spte_format());
  const std::optional<MmioSpte>& entry = c.mmio_spte(format);
  if (!entry) return std::nullopt;
  const std::uint64_t made = format.generation(entry->spte);
  const std::uint64_t now = format.kept(memslots_generation(c.kvm, c.vm, c.access.as_id));
  if ((made != now) != stale) return std::nullopt;
  return fmt::format("MMIO SPTE {:#x} at {:#x} is of memslots generation {}, they are at {}: {}",
                     entry->spte, entry->address.value, made, now,
                     stale ? "the next access looks for a memslot again"
                           : "an access leaves the guest for user space's device");
}
Evidence mmio(const AccessCase& c) {
  return mmio_of(c, false);
}
Evidence mmio_stale(const AccessCase& c) {
  return mmio_of(c, true);
}

Evidence no_memslot(const AccessCase& c) {
  if (c.access.slot != nullptr) return std::nullopt;
  return fmt::format(
      "no memslot holds gfn {:#x}: an access leaves the guest for user space's device",
      to_gfn(c.access.gpa).value);
}

Evidence memslot_changing(const AccessCase& c) {
  if (!c.slot_has(slot_flag::invalid)) return std::nullopt;
  return fmt::format(
      "memslot {} is being moved or deleted (KVM_MEMSLOT_INVALID): a fault is retried",
      c.access.slot->id);
}

Evidence disagree(const AccessCase& c) {
  if (c.access.sptes == nullptr || c.access.host == nullptr || c.access.host->lost)
    return std::nullopt;
  for (const Mapping& one : *c.access.sptes) {
    if (!one.place || c.access.host->hpa == c.target(one)) continue;
    return fmt::format(
        "{} leads to hpa {:#x}, the owner's page tables {}: the guest uses another page than its "
        "owner",
        spte_text(one), c.target(one).value,
        c.access.host->hpa ? fmt::format("to {:#x}", c.access.host->hpa->value)
                           : fmt::format("to none ({})", name(c.access.host->state)));
  }
  return std::nullopt;
}

Evidence mapped(const AccessCase& c) {
  const Mapping* one = c.writable();
  if (one == nullptr) return std::nullopt;
  return fmt::format("{} maps it, writable: nothing here stops an access", spte_text(*one));
}

Evidence readonly_memslot(const AccessCase& c) {
  if (c.mapping() == nullptr || !c.slot_has(slot_flag::readonly)) return std::nullopt;
  return fmt::format("{} maps it to be read; memslot {} is read-only, so a write leaves the guest",
                     spte_text(*c.mapping()), c.access.slot->id);
}

Evidence dirty_logging(const AccessCase& c) {
  if (!c.slot_has(slot_flag::dirty_log) || !c.only_logged()) return std::nullopt;
  return fmt::format(
      "{} is write-protected for dirty logging of memslot {}: the next write faults once and is "
      "logged",
      spte_text(*c.mapping()), c.access.slot->id);
}

Evidence host_read_only(const AccessCase& c) {
  if (c.mapping() == nullptr || c.all_have(c.kvm.spte_format().host_writable)) return std::nullopt;
  return fmt::format(
      "{} has host-writable clear: the host maps the page read-only (copy on write, KSM, zero "
      "page), and a write asks it for another",
      spte_text(*c.mapping()));
}

Evidence write_protected(const AccessCase& c) {
  if (c.mapping() == nullptr) return std::nullopt;
  return fmt::format(
      "{} may not be written{}: KVM shadows a page table of the guest there, or the guest's own "
      "tables forbid it",
      spte_text(*c.mapping()),
      c.all_have(c.kvm.spte_format().mmu_writable) ? "" : ", MMU-writable is clear");
}

Evidence without_page(const AccessCase& c, HostState state, std::string_view then) {
  if (!c.host_is(state)) return std::nullopt;
  return fmt::format(
      "no SPTE maps it, and the owner's process has no usable page at {:#x} ({}): {}", c.access.hva,
      name(state), then);
}

// What the owner has mapped where it has no page; nothing is said where that cannot be read.
Evidence in_mapping(const AccessCase& c, std::string (*say)(const std::optional<Vma>& vma)) {
  if (!c.host_is(HostState::absent)) return std::nullopt;
  const OwnerMapping& owner = c.owner_mapping();
  const std::string said = owner.lost ? "" : say(owner.vma);
  if (said.empty()) return std::nullopt;
  return fmt::format("no SPTE maps it, and hva {:#x} of the owner's process {}", c.access.hva,
                     said);
}

Evidence host_unmapped(const AccessCase& c) {
  return in_mapping(c, [](const std::optional<Vma>& vma) -> std::string {
    return vma ? "" : "is not mapped (no VMA): the access fails, KVM_RUN returns EFAULT";
  });
}

Evidence host_userfaultfd(const AccessCase& c) {
  return in_mapping(c, [](const std::optional<Vma>& vma) {
    if (!vma || !vma->has_userfaultfd) return std::string();
    return fmt::format(
        "has no page, in a mapping ({:#x} to {:#x}) of a userfaultfd: the fault waits until its "
        "handler brings one",
        vma->start, vma->end);
  });
}
Evidence host_absent(const AccessCase& c) {
  if (!c.host_is(HostState::absent)) return std::nullopt;
  if (const std::optional<Error>& lost = c.owner_mapping().lost)
    return without_page(c, HostState::absent,
                        fmt::format("what it has mapped there cannot be read ({})", lost->what()));
  return without_page(c, HostState::absent,
                      "never touched or thrown away; the fault brings one in");
}
Evidence host_swapped(const AccessCase& c) {
  return without_page(c, HostState::swapped,
                      "the fault waits until it is read back, migrated or declared poisoned");
}
Evidence host_prot_none(const AccessCase& c) {
  if (Evidence never_touched = in_mapping(c, [](const std::optional<Vma>& vma) {
        if (!vma || vma->accessible()) return std::string();
        return fmt::format(
            "has no page, in a mapping ({:#x} to {:#x}) of PROT_NONE: the access fails", vma->start,
            vma->end);
      }))
    return never_touched;
  return without_page(c, HostState::prot_none,
                      "PROT_NONE makes the access fail, NUMA balancing makes it fault once");
}
Evidence host_reserved(const AccessCase& c) {
  return without_page(c, HostState::reserved, "the entry makes no sense");
}

Evidence not_mapped_yet(const AccessCase& c) {
  if (!c.host_is(HostState::mapped) || c.access.sptes == nullptr || !c.access.sptes->empty())
    return std::nullopt;
  return fmt::format("no SPTE maps it, the host has the page at hpa {:#x}: the next access maps it",
                     c.access.host->hpa->value);
}

Evidence unknown(const AccessCase&) {
  return "what would decide could not be read";
}

struct Row {
  VerdictName name;
  Evidence (*evidence)(const AccessCase&);
};
constexpr Row rows[] = {
    {{"invalidating", "an MMU notifier takes the page away"}, invalidating},
    {{"frozen", "the TDP MMU replaces the entry"}, frozen},
    {{"mmio", "outside every memslot, remembered as MMIO"}, mmio},
    {{"mmio_stale", "remembered as MMIO by older memslots"}, mmio_stale},
    {{"no_memslot", "outside every memslot"}, no_memslot},
    {{"memslot_changing", "the memslot is on its way out"}, memslot_changing},
    {{"disagree", "KVM and the owner have different pages"}, disagree},
    {{"mapped", "mapped for writing"}, mapped},
    {{"readonly_memslot", "mapped, the memslot is read-only"}, readonly_memslot},
    {{"host_read_only", "mapped, the host allows no write"}, host_read_only},
    {{"dirty_logging", "mapped, write-protected for dirty logging"}, dirty_logging},
    {{"write_protected", "mapped, a page table or the guest's own choice"}, write_protected},
    {{"host_unmapped", "the owner has nothing mapped there"}, host_unmapped},
    {{"host_userfaultfd", "the owner has no page, a userfaultfd's handler has to bring it"},
     host_userfaultfd},
    {{"host_prot_none", "the owner's page must not be accessed"}, host_prot_none},
    {{"host_absent", "the owner has no page"}, host_absent},
    {{"host_swapped", "the owner's page is swapped out, migrating or poisoned"}, host_swapped},
    {{"host_corrupt", "the owner's entry has reserved bits set"}, host_reserved},
    {{"not_mapped_yet", "the owner has a page, KVM has not been asked"}, not_mapped_yet},
    {{"unknown", "not enough could be read"}, unknown},
};

}  // namespace

Invalidation invalidation(const Kvm& kvm, const Vm& vm) {
  const VmFields& fields = kvm.layout().vm();
  return {.sequence = vm.fields.get(fields.invalidate_seq),
          .in_progress = vm.fields.get(fields.invalidate_in_progress),
          .start = vm.fields.find(fields.invalidate_start),
          .end = vm.fields.find(fields.invalidate_end)};
}

Verdict verdict_of(const Kvm& kvm, const Vm& vm, const Access& access) {
  const AccessCase c(kvm, vm, access);
  for (const Row& row : rows)
    if (Evidence evidence = row.evidence(c)) return {row.name.name, std::move(*evidence)};
  return {};
}

std::vector<VerdictName> verdict_names() {
  std::vector<VerdictName> names;
  for (const Row& row : rows) names.push_back(row.name);
  return names;
}

}  // namespace kvmscope::kvm
