#include "commands/count_fields.hpp"

#include <array>

namespace kvmscope {
namespace {

using kvm::MmuCounts;
using K = ColumnKind;

struct LevelRow {
  std::uint64_t pages = 0, direct = 0, indirect = 0, unsync = 0, invalid = 0, obsolete = 0, tdp = 0;

  void add(const kvm::RoleCount& of) {
    pages += of.pages;
    (of.role.direct ? direct : indirect) += of.pages;
    unsync += of.unsync;
    if (of.role.invalid) invalid += of.pages;
    obsolete += of.obsolete;
    if (of.tdp_mmu) tdp += of.pages;
  }
};

Value levels_of(const CountItem& item) {
  std::array<LevelRow, 6> rows{};
  for (const auto& [key, count] : item.counts.roles) rows.at(count.role.level).add(count);
  Records levels;
  for (unsigned level = 5; level >= 1; --level) {
    const LevelRow& row = rows[level];
    if (row.pages != 0)
      levels.push_back({{std::uint64_t{level}, row.pages, row.direct, row.indirect, row.unsync,
                         row.invalid, row.obsolete, row.tdp}});
  }
  return levels;
}

// The higher levels first, as trees have them.
Value roles_of(const CountItem& item) {
  Records roles;
  for (unsigned level = 5; level >= 1; --level)
    for (const auto& [key, of] : item.counts.roles)
      if (of.role.level == level)
        roles.push_back(
            {{std::uint64_t{level}, Hex(std::uint64_t{of.role.word}), of.role.text(), of.tdp_mmu,
              of.role.guest_mode, std::uint64_t{of.role.smm}, of.pages, of.unsync, of.obsolete}});
  return roles;
}

Value lengths_of(const CountItem& item) {
  Records lengths;
  for (const auto& [length, buckets] : item.counts.hash.lengths)
    lengths.push_back({{length, buckets}});
  return lengths;
}

std::uint64_t pages_of(const MmuCounts& counts, bool tdp_mmu) {
  std::uint64_t pages = 0;
  for (const auto& [key, count] : counts.roles)
    if (count.tdp_mmu == tdp_mmu) pages += count.pages;
  return pages;
}

std::uint64_t hashed_pages(const MmuCounts& counts) {
  std::uint64_t pages = 0;
  for (const auto& [length, buckets] : counts.hash.lengths) pages += length * buckets;
  return pages;
}

std::uint64_t total_bytes(const kvm::MmuMemory& memory) {
  return memory.shadow_tables + memory.tdp_tables + memory.headers + memory.gfn_tables +
         memory.descriptors + memory.rmaps + memory.lpage_info + memory.gfn_tracks;
}

}  // namespace

const std::vector<Column>& count_level_columns() {
  static const std::vector<Column> columns = {
      {"level", K::count, ""},    {"pages", K::count, ""},   {"direct", K::count, ""},
      {"indirect", K::count, ""}, {"unsync", K::count, ""},  {"invalid", K::count, ""},
      {"obsolete", K::count, ""}, {"tdp_mmu", K::count, ""},
  };
  return columns;
}

const std::vector<Column>& count_role_columns() {
  static const std::vector<Column> columns = {
      {"level", K::count, ""},  {"role", K::hex, ""},        {"role_text", K::text, ""},
      {"tdp_mmu", K::flag, ""}, {"guest_mode", K::flag, ""}, {"smm", K::count, ""},
      {"pages", K::count, ""},  {"unsync", K::count, ""},    {"obsolete", K::count, ""},
  };
  return columns;
}

const std::vector<Column>& count_length_columns() {
  static const std::vector<Column> columns = {{"length", K::count, ""}, {"buckets", K::count, ""}};
  return columns;
}

const std::vector<FieldOf<CountItem>>& count_fields() {
  static const std::vector<FieldOf<CountItem>> all = {
      {{"vm", K::count, "number of the VM"},
       [](const CountItem& i) -> Value { return std::uint64_t{i.vm.index}; }},
      {{"kvm", K::hex, "address of its struct kvm", {}, true},
       [](const CountItem& i) -> Value { return Hex(i.vm.address); }},
      {{"pages", K::count, "shadow pages that are active"},
       [](const CountItem& i) -> Value { return pages_of(i.counts, false) + i.counts.unreadable; }},
      {{"used", K::count, "shadow pages, as KVM counts them"},
       [](const CountItem& i) -> Value { return i.vm.fields.get(i.kvm.layout().vm().used_pages); }},
      {{"max", K::count, "limit of shadow pages"},
       [](const CountItem& i) -> Value { return i.vm.fields.get(i.kvm.layout().vm().max_pages); }},
      {{"tdp_pages", K::count, "pages of the TDP MMU"},
       [](const CountItem& i) -> Value { return pages_of(i.counts, true); }},
      {{"unreadable", K::count, "shadow pages that could not be read: in no level and role"},
       [](const CountItem& i) -> Value { return i.counts.unreadable; }},
      {{"levels", K::records, "pages by level", count_level_columns()}, levels_of},
      {{"roles", K::records, "pages by role", count_role_columns()}, roles_of},
      {{"hash_buckets", K::count, "buckets of mmu_page_hash"},
       [](const CountItem& i) -> Value { return i.counts.hash.buckets; }},
      {{"hash_pages", K::count, "shadow pages in it, invalid roots too"},
       [](const CountItem& i) -> Value { return hashed_pages(i.counts); }},
      {{"hash_lengths", K::records, "buckets by the number of pages in them",
        count_length_columns()},
       lengths_of},
      {{"invalid_roots", K::count, "zapped shadow pages that wait for the last vCPU to leave them"},
       [](const CountItem& i) -> Value { return i.counts.invalid_roots; }},
      {{"invalid_tdp_roots", K::count, "the same of the TDP MMU"},
       [](const CountItem& i) -> Value { return i.counts.invalid_tdp_roots; }},
      {{"rmap_entries", K::count, "SPTEs in the rmaps of all memslots"},
       [](const CountItem& i) -> Value { return i.counts.rmap_entries; }},
      {{"rmap_descriptors", K::count, "struct pte_list_desc that hold them"},
       [](const CountItem& i) -> Value { return i.counts.rmap_descriptors; }},
      {{"parent_descriptors", K::count, "struct pte_list_desc that hold parents"},
       [](const CountItem& i) -> Value { return i.counts.parent_descriptors; }},
      {{"shadow_bytes", K::count, "tables of shadow pages"},
       [](const CountItem& i) -> Value { return i.counts.memory.shadow_tables; }},
      {{"tdp_bytes", K::count, "tables of the TDP MMU"},
       [](const CountItem& i) -> Value { return i.counts.memory.tdp_tables; }},
      {{"header_bytes", K::count, "struct kvm_mmu_page of both"},
       [](const CountItem& i) -> Value { return i.counts.memory.headers; }},
      {{"gfn_table_bytes", K::count, "which frame each entry maps: shadowed_translation or gfns"},
       [](const CountItem& i) -> Value { return i.counts.memory.gfn_tables; }},
      {{"descriptor_bytes", K::count, "all struct pte_list_desc"},
       [](const CountItem& i) -> Value { return i.counts.memory.descriptors; }},
      {{"rmap_bytes", K::count, "rmap arrays of the memslots"},
       [](const CountItem& i) -> Value { return i.counts.memory.rmaps; }},
      {{"lpage_info_bytes", K::count, "lpage_info arrays of the memslots"},
       [](const CountItem& i) -> Value { return i.counts.memory.lpage_info; }},
      {{"gfn_track_bytes", K::count, "write-tracking arrays of the memslots"},
       [](const CountItem& i) -> Value { return i.counts.memory.gfn_tracks; }},
      {{"total_bytes", K::count, "the sum"},
       [](const CountItem& i) -> Value { return total_bytes(i.counts.memory); }},
  };
  return all;
}

}  // namespace kvmscope
