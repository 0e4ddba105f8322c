// Rules about single SPTEs: their level, what they allow, what they must not be.

#include "core/kvm/audit/describe.hpp"

namespace kvmscope::kvm::audit {
namespace {

void check_headers(const Model& model, Report& report) {
  for (const BadHeader& header : model.bad_headers()) {
    Finding finding;
    finding.object = Object::sp;
    finding.address = header.address;
    finding.text = header.text;
    // What it was, and what hangs below it, is not known.
    finding.wide = true;
    report.add(std::move(finding));
  }
}

void check_level(const Model& model, const TableEntry& entry, Report& report) {
  const unsigned level = entry.node.page.level();
  if (entry.kind == SpteKind::leaf && level > model.deepest_leaf())
    report.add(about(entry, fmt::format("is a leaf, but this host's are of level {} at most",
                                        model.deepest_leaf())));
  if (entry.child != nullptr && entry.child->page.level() + 1 != level)
    report.add(about(entry, fmt::format("leads to {}, not to a page of level {}",
                                        words(entry.child->page), level - 1)));
}

void check_writable(const Model& model, const TableEntry& entry, Report& report) {
  if (entry.kind != SpteKind::leaf || entry.node.page.level() > model.deepest_leaf()) return;
  const SpteFormat& format = model.format();
  const bool mmu_writable = (entry.spte & format.mmu_writable) != 0;
  if (format.writable(entry.spte) && !mmu_writable)
    report.add(about(entry, "is writable, but not MMU-writable"));
  if (mmu_writable && (entry.spte & format.host_writable) == 0)
    report.add(about(entry, "is MMU-writable, but not host-writable"));
}

void check_frozen(const Model& model, const TableEntry& entry, Report& report) {
  if (entry.kind != SpteKind::frozen) return;
  Finding finding = about(entry, "is frozen, as while a CPU takes the page away that it led to");
  finding.unstable = model.lock_held_for_reading();
  report.add(std::move(finding));
}

// ---- MMIO

// KVM's own slots, of one page each, are hidden from guests where APICv is off.
bool is_of_guest(const SlotArrays& slot) {
  return slot.slot.npages > 1;
}

void check_mmio(const Model& model, const TableEntry& entry, Report& report) {
  if (entry.kind != SpteKind::mmio) return;
  const unsigned as_id = entry.node.page.role.smm;
  const std::optional<std::uint64_t> generation = model.generation(as_id);
  const MmioFormat& mmio = model.mmio();
  // A stale one is looked up again.
  if (!generation || mmio.generation(entry.spte) != mmio.kept(*generation)) return;
  const Gfn gfn = mmio.gfn(entry.spte);
  const SlotArrays* slot = model.slot_of(as_id, gfn);
  if (slot != nullptr && is_of_guest(*slot))
    report.add(about(entry, fmt::format("stands for MMIO at gfn {:#x}, but memslot {} has that",
                                        gfn.value, slot->slot.id)));
}

// ---- reserved bits

// struct rsvd_bits_validate of one mmu, with the role that it was made for.
struct ReservedBits {
  Role role;
  std::array<std::array<std::uint64_t, 5>, 2> bits{};
  std::uint64_t bad_low = 0;

  bool has(std::uint64_t spte, unsigned level) const {
    return (spte & bits[spte >> 7 & 1][level - 1]) != 0 || (bad_low >> (spte & 0x3f) & 1) != 0;
  }
};

std::vector<ReservedBits> reserved_bits(const Model& model) {
  const Layout& layout = model.kvm().layout();
  const MmuCheckFields& fields = layout.mmu_check();
  std::vector<ReservedBits> all;
  for (const Vcpu& vcpu : model.vcpus())
    for (const Field* mmu : {&layout.vcpu().root_mmu, &layout.vcpu().guest_mmu}) {
      if (!mmu->present()) continue;
      model.attempt([&] {
        const VirtAddr at = vcpu.fields.address_of(*mmu);
        const StructCopy checks(fields, model.kvm().memory(), at);
        const StructCopy copy(layout.mmu(), model.kvm().memory(), at);
        ReservedBits one;
        one.role = decode_role(layout.role(),
                               static_cast<std::uint32_t>(copy.get(layout.mmu().root_role)));
        const Bytes bytes = checks.bytes(fields.reserved_bits);
        if (one.role.level == 0 || bytes.size() != sizeof one.bits) return;
        one.bits = load<decltype(one.bits)>(bytes);
        one.bad_low = checks.find(fields.bad_low_bits).value_or(0);
        all.push_back(one);
      });
    }
  return all;
}

// Pages of other roles may have been made under other masks.
bool made_for(const Model& model, const ReservedBits& bits, const ShadowPage& page) {
  return ((bits.role.word ^ page.role.word) & model.inherited_role()) == 0 &&
         page.level() <= bits.role.level;
}

void check_reserved(const Model& model, Report& report) {
  const std::vector<ReservedBits> all = reserved_bits(model);
  const auto wrong = [&](const ShadowPage& page, std::uint64_t spte) {
    bool any = false;
    for (const ReservedBits& bits : all) {
      if (!made_for(model, bits, page)) continue;
      if (!bits.has(spte, page.level())) return false;
      any = true;
    }
    return any;
  };
  for (const Leaf& leaf : model.leaves())
    if (wrong(leaf.node->page, leaf.spte))
      report.add(about(leaf, "has bits that are reserved for its level (shadow_zero_check)"));
}

std::string with_reserved_bits(const Model& model) {
  return without_member(model.kvm().layout().mmu_check().reserved_bits, "shadow_zero_check");
}

}  // namespace

std::vector<Rule> entry_rules() {
  return {
      {.name = "header",
       .what = "each struct kvm_mmu_page that something leads to has a level from 1 to 5",
       .when = "",
       .source = "kvm_mmu_alloc_shadow_page, tdp_mmu_init_sp",
       .breaks = {"used-pages", "hash", "unsync-count", "indirect-pages", "nx-list", "parent-ptes",
                  "rmap", "root-page", "root-count", "ptep", "tdp-parent", "tdp-pages", "tdp-roots",
                  "unsync-stale", "prev-roots", "lpage-info", "write-track"},
       .reads = part::lists | part::tables,
       .check = check_headers},
      {.name = "level",
       .what =
           "an entry leads to a page of the level below its own, and leaves are of a level that "
           "max_huge_page_level allows",
       .when = "",
       .source = "kvm_mmu_child_role, kvm_mmu_max_mapping_level",
       .breaks = {"parent-ptes", "unsync-bitmap", "unsync-stale", "guest-entry", "child-gfn",
                  "rmap", "ptep", "tdp-pages"},
       .reads = part::lists | part::tables,
       .entry = check_level},
      {.name = "writable",
       .what = "a leaf that is writable is MMU-writable, and one that is MMU-writable is "
               "host-writable",
       .when = "since v5.13 (shadow_mmu_writable_mask)",
       .source = "check_spte_writable_invariants",
       .reads = part::lists | part::tables,
       .excuse = in_kernels_with_bit_11,
       .entry = check_writable},
      {.name = "reserved-bits",
       .what = "a leaf has no bit that is reserved for its level, nor a combination of low bits "
               "that is bad",
       .when = "pages whose role is that of an mmu of some vCPU",
       .source = "reset_shadow_zero_bits_mask, is_rsvd_spte",
       .breaks = {"host-pfn"},
       .reads = part::lists | part::roots | part::tables,
       .excuse = with_reserved_bits,
       .check = check_reserved},
      {.name = "frozen",
       .what = "no SPTE stays frozen (REMOVED_SPTE until v6.12)",
       .when = "",
       .source = "tdp_mmu_set_spte_atomic, tdp_mmu_zap_spte_atomic",
       .reads = part::lists | part::tables,
       .entry = check_frozen},
      {.name = "mmio",
       .what = "an MMIO SPTE of the memslots' generation stands for a frame that no memslot of the "
               "guest has",
       .when = "",
       .source = "mark_mmio_spte, check_mmio_spte",
       .severity = Severity::info,
       .reads = part::lists | part::slots | part::tables,
       .whole = part::slots,
       .entry = check_mmio},
  };
}

}  // namespace kvmscope::kvm::audit
