// Counts of the tables and leaves below a table, per level.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "core/base/error.hpp"
#include "core/kvm/kvm.hpp"
#include "core/kvm/walk.hpp"
#include "core/memory/reader.hpp"

namespace kvmscope::kvm {

// How many tables and leaves hang below a table, by level of the entries.
struct LevelCounts {
  static constexpr unsigned deepest = 5;
  std::array<std::uint64_t, deepest + 1> tables{};  // index: level, 1 to 5
  std::array<std::uint64_t, deepest + 1> leaves{};
  // Differs where other entries of the level are present or lead elsewhere, though their number is
  // the same. Of leaves of level 1 only while the kernel runs.
  std::array<std::uint64_t, deepest + 1> shape{};

  // Mixes a number into the shape of a level (the order counts).
  void add_to_shape(unsigned level, std::uint64_t number) {
    shape[level] = (shape[level] ^ number) * 0x9e3779b97f4a7c15 + 1;
    shape[level] ^= shape[level] >> 32;
  }
};

// Counts by path: a shared table counts once per parent, as the hardware would see it.
class LevelCounter {
 public:
  // `lost` is told of a table that could not be read; its entries are not counted.
  using OnLost = std::function<void(const Error&)>;
  LevelCounter(const Kvm& kvm, OnLost lost);

  LevelCounts count(const TreeStart& start);

 private:
  const LevelCounts& count_table(PhysAddr table, unsigned level, bool special);
  bool read_or_lose(PhysAddr at, Table& into);
  std::uint64_t count_leaves(const Table& table, LevelCounts& counts) const;
  LevelCounts count_entries(const Table& table, unsigned level, bool special);

  const Kvm& kvm_;
  const SpteFormat format_;
  OnLost lost_;
  bool shapes_;  // of tables of level 1, too
  // One count per distinct (table, level): a shared graph cannot explode.
  std::unordered_map<std::uint64_t, LevelCounts> known_;
  std::vector<PhysAddr> path_;  // tables being counted, from the root down
};

}  // namespace kvmscope::kvm
