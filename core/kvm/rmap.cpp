#include "core/kvm/rmap.hpp"

#include <algorithm>
#include <bit>
#include <span>

#include "core/base/interrupt.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t most_entries = 1'000'000;
// rmap_head.val: bit 0 marks a list of chunks; bit 1 is KVM_RMAP_LOCKED since v6.15.
constexpr std::uint64_t rmap_many = 1;
constexpr std::uint64_t rmap_locked = 2;
constexpr std::uint64_t rmap_tags = 3;
constexpr std::uint64_t head_size = 8;                 // struct kvm_rmap_head
constexpr std::uint64_t most_slot_pages = 1ULL << 40;  // KVM_MEM_MAX_NR_PAGES is 2^31 - 1

std::uint64_t used_entries(const PteListFields& fields, const StructCopy& chunk) {
  const std::uint64_t capacity = fields.sptes.count();
  if (const std::optional<std::uint64_t> count = chunk.find(fields.spte_count)) {
    if (*count > capacity)
      throw_error(ErrorKind::corrupt, "the pte_list_desc at {:#x} claims {} entries",
                  chunk.address().value, *count);
    return *count;
  }
  std::uint64_t used = 0;
  while (used < capacity && chunk.get(fields.sptes, used) != 0) ++used;
  return used;
}

}  // namespace

PteListSize walk_pte_list(const Kvm& kvm, std::uint64_t head,
                          const std::function<void(VirtAddr spte)>& visit) {
  PteListSize size;
  if ((head & ~rmap_locked) == 0) return size;
  if ((head & rmap_many) == 0) {
    if (visit) visit({head & ~rmap_tags});
    return {1, 0};
  }
  const PteListFields& fields = kvm.layout().pte_list();
  VirtAddr at{head & ~rmap_tags};
  // A chunk stays marked for 1, 2, 4… steps: a ring meets it again (Brent).
  VirtAddr marked;
  while (at.value != 0) {
    check_interrupt();
    const StructCopy chunk(fields, kvm.memory(), at);
    const std::uint64_t used = used_entries(fields, chunk);
    size.entries += used;
    ++size.descriptors;
    if (size.entries > most_entries || at == marked)
      throw_error(ErrorKind::corrupt, "the SPTEs listed from {:#x} do not end", head & ~rmap_tags);
    for (std::uint64_t i = 0; visit && i < used; ++i) visit({chunk.get(fields.sptes, i)});
    if (std::has_single_bit(size.descriptors)) marked = at;
    at = chunk.pointer(fields.more);
  }
  return size;
}

MemslotArrays memslot_arrays(const Kvm& kvm, const Memslot& slot) {
  const MemslotArchFields& fields = kvm.layout().memslot_arch();
  return with_context(
      [&] { return fmt::format("reading the memslot at {:#x}", slot.address.value); },
      [&] {
        const StructCopy copy(fields, kvm.memory(), slot.address);
        if (copy.get(fields.base_gfn) != slot.base.value ||
            copy.get(fields.npages) != slot.npages || slot.npages > most_slot_pages)
          throw_error(ErrorKind::corrupt, "it starts at gfn {:#x} and has {} pages",
                      copy.get(fields.base_gfn), copy.get(fields.npages));
        MemslotArrays arrays;
        const auto levels = [&](const Field& field, unsigned first, auto& into) {
          const std::uint64_t last =
              std::min<std::uint64_t>(field.count() + first - 1, MemslotArrays::deepest);
          for (unsigned level = first; level <= last; ++level)
            into[level] = {copy.get(field, level - first)};
        };
        require(fields.rmap);
        require(fields.lpage_info);
        levels(fields.rmap, 1, arrays.rmap);
        levels(fields.lpage_info, 2, arrays.lpage_info);
        if (!fields.gfn_track.present()) return arrays;
        const std::span<const std::byte> tracks = copy.bytes(fields.gfn_track);
        for (std::size_t at = 0; at + 8 <= tracks.size(); at += 8)
          arrays.gfn_tracks += load_unsigned(tracks.subspan(at, 8)) != 0;
        return arrays;
      });
}

std::vector<RmapHead> rmap_heads(const Memslot& slot, const MemslotArrays& arrays, Gfn gfn) {
  std::vector<RmapHead> heads;
  if (!holds(slot, gfn)) return heads;
  for (unsigned level = 1; level <= MemslotArrays::deepest; ++level) {
    if (arrays.rmap[level].value == 0) continue;
    const unsigned shift = 9 * (level - 1);
    heads.push_back({slot.as_id, level, Gfn{gfn.value >> shift << shift},
                     arrays.rmap[level] + head_size * slot_index(slot, gfn, level)});
  }
  return heads;
}

std::uint64_t rmap_value(const Kvm& kvm, const RmapHead& head) {
  return kvm.memory().u64(head.address) & ~rmap_locked;
}

void each_rmap_head(const Kvm& kvm, const Memslot& slot, const MemslotArrays& arrays,
                    const std::function<void(const RmapHead&, std::uint64_t value)>& visit,
                    const std::function<void(const Error&)>& lost) {
  for (unsigned level = 1; level <= MemslotArrays::deepest; ++level) {
    if (arrays.rmap[level].value == 0) continue;
    const unsigned shift = 9 * (level - 1);
    const std::uint64_t count = slot_elements(slot, level);
    const std::uint64_t first = slot.base.value >> shift;
    Table heads;
    for (std::uint64_t start = 0; start < count; start += heads.size()) {
      check_interrupt();
      const std::uint64_t size = std::min<std::uint64_t>(heads.size(), count - start);
      const VirtAddr at = arrays.rmap[level] + head_size * start;
      const std::optional<Error> failed = lost_in(
          [&] { kvm.memory().peek(at, std::as_writable_bytes(std::span(heads).first(size))); });
      if (failed) {
        Error error(*failed);
        error.add_context(fmt::format("reading the rmaps of level {} from gfn {:#x}", level,
                                      (first + start) << shift));
        lost(error);
        continue;
      }
      for (std::uint64_t i = 0; i < size; ++i)
        if (const std::uint64_t value = heads[i] & ~rmap_locked; value != 0)
          visit({slot.as_id, level, Gfn{(first + start + i) << shift}, at + head_size * i}, value);
    }
  }
}

SptePlace spte_place(const Kvm& kvm, VirtAddr spte_address) {
  const VirtAddr table{spte_address.value & ~(page_size - 1)};
  const std::optional<PhysAddr> at = kvm.kernel().direct_phys(table);
  if (!at || spte_address.value % 8 != 0)
    throw_error(ErrorKind::corrupt, "{:#x} is not the address of an SPTE", spte_address.value);
  const std::optional<ShadowPage> page = kvm.page_of_table(*at);
  if (!page) throw_error(ErrorKind::corrupt, "no shadow page has its table at {:#x}", table.value);
  return {*page, static_cast<unsigned>(spte_address.value % page_size / 8),
          kvm.memory().u64(spte_address)};
}

std::optional<bool> guest_allowed_writes(const Kvm& kvm, const SptePlace& place) {
  constexpr std::uint64_t acc_write_mask = 2;
  const ShadowPage& page = place.page;
  if (page.role.direct || page.role.passthrough || page.gfn_table.value == 0)
    return (page.role.access & acc_write_mask) != 0;
  if (!page.gfn_table_has_access) return std::nullopt;
  const std::uint64_t entry = kvm.memory().u64(page.gfn_table + std::uint64_t{8} * place.index);
  return (entry & acc_write_mask) != 0;
}

PteListSize each_parent_spte(const Kvm& kvm, const ShadowPage& page,
                             const std::function<void(VirtAddr spte)>& visit) {
  if (!page.tdp_mmu)
    return with_context(
        [&] { return fmt::format("reading the parents of shadow page {:#x}", page.address.value); },
        [&] { return walk_pte_list(kvm, page.parent_ptes, visit); });
  if (page.ptep.value == 0) return {};
  if (visit) visit(page.ptep);
  return {1, 0};
}

}  // namespace kvmscope::kvm
