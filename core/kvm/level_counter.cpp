#include "core/kvm/level_counter.hpp"

#include <algorithm>

#include "core/base/interrupt.hpp"
#include "core/kvm/special_tables.hpp"

namespace kvmscope::kvm {

LevelCounter::LevelCounter(const Kvm& kvm, OnLost lost)
    : kvm_(kvm),
      format_(kvm.spte_format()),
      lost_(std::move(lost)),
      shapes_(kvm.kernel().steady() != nullptr) {}

LevelCounts LevelCounter::count(const TreeStart& start) {
  path_.clear();
  if (!start.special) return count_table(start.table, start.level, false);
  return count_entries(top_table(kvm_, start), start.level, true);
}

const LevelCounts& LevelCounter::count_table(PhysAddr table, unsigned level, bool special) {
  // Tables are page-aligned, so the level fits into the low bits of the key.
  const std::uint64_t key = table.value | level;
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  check_interrupt();
  LevelCounts counts;
  if (Table entries; read_or_lose(table, entries)) {
    path_.push_back(table);
    if (level == 1)
      counts.leaves[1] = count_leaves(entries, counts);
    else
      counts = count_entries(entries, level, special);
    path_.pop_back();
  }
  return known_.emplace(key, counts).first->second;
}

bool LevelCounter::read_or_lose(PhysAddr at, Table& into) {
  const std::optional<Error> lost =
      lost_in([&] { kvm_.kernel().physical().peek(at, std::as_writable_bytes(std::span(into))); });
  if (lost) lost_(*lost);
  return !lost;
}

// Most tables are of level 1 and full: no branch per entry where one bit tells.
std::uint64_t LevelCounter::count_leaves(const Table& table, LevelCounts& counts) const {
  std::uint64_t leaves = 0;
  if (shapes_)
    for (unsigned i = 0; i < entries_per_table; ++i)
      if (format_.is_present(table[i])) counts.add_to_shape(1, i);
  if (format_.mmu_present != 0)
    for (const std::uint64_t entry : table) leaves += (entry & format_.mmu_present) != 0 ? 1 : 0;
  else
    for (const std::uint64_t entry : table) leaves += format_.is_present(entry) ? 1 : 0;
  return leaves;
}

LevelCounts LevelCounter::count_entries(const Table& table, unsigned level, bool special) {
  LevelCounts counts;
  for (unsigned index = 0; index < entries_per_table; ++index) {
    const std::uint64_t entry = table[index];
    if (format_.is_empty(entry)) continue;
    const SpteKind kind = special ? special_kind(entry) : format_.kind(entry, level);
    if (kind == SpteKind::leaf) {
      ++counts.leaves[level];
      counts.add_to_shape(level, index);
    } else if (kind == SpteKind::table) {
      ++counts.tables[level];
      const PhysAddr target = format_.target(entry);
      counts.add_to_shape(level, target.value | index);
      if (std::find(path_.begin(), path_.end(), target) != path_.end()) {
        lost_(met_again(target));
        continue;
      }
      const LevelCounts& below = count_table(target, level - 1, special_below(special, level));
      for (unsigned i = 1; i < level; ++i) {
        counts.tables[i] += below.tables[i];
        counts.leaves[i] += below.leaves[i];
        counts.add_to_shape(i, below.shape[i]);
      }
    }
  }
  return counts;
}

}  // namespace kvmscope::kvm
