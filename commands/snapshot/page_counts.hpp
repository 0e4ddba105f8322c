// The shadow pages of a VM, counted by level and role.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "commands/output/record.hpp"
#include "core/kvm/shadow_page.hpp"

namespace kvmscope::snapshots {

class PageCounts {
 public:
  // nullptr: a page that cannot be read.
  void add(const kvm::ShadowPage* page, bool obsolete);

  // One record: the sums.
  static const std::vector<Column>& columns();
  Record record() const;
  // One record per level and role, bounded: what is beyond is together in one without a role.
  static const std::vector<Column>& role_columns();
  Records by_role() const;

 private:
  struct Count {
    kvm::Role role;
    bool tdp_mmu = false;
    std::uint64_t pages = 0, unsync = 0, obsolete = 0;
  };
  static Record record_of(const Count& count, bool known);

  static constexpr std::size_t most_roles = 1024;
  std::map<std::pair<bool, std::uint32_t>, Count> roles_;  // by tdp_mmu and role.word
  std::array<Count, 6> others_{};                          // by level
  std::uint64_t pages_ = 0, unreadable_ = 0, unsync_ = 0, invalid_ = 0, obsolete_ = 0, roots_ = 0;
};

}  // namespace kvmscope::snapshots
