// What `pages` says of all pages of a VM together: its last line, and --summary.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "commands/output/record.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope {

// What of one page counts.
struct PageFacts {
  PageFacts(const kvm::ShadowPage& page, bool obsolete)
      : level(page.level()), unsync(page.unsync), invalid(page.role.invalid), obsolete(obsolete) {}
  unsigned level;
  bool unsync, invalid, obsolete;
};

struct PageTotals {
  std::uint64_t pages = 0, unreadable = 0, unsync = 0, invalid = 0, obsolete = 0;
  std::array<std::uint64_t, 6> by_level{};

  // None: a page that cannot be read.
  void add(const std::optional<PageFacts>& page);
  PageTotals& operator+=(const PageTotals& other);
};

const std::vector<Column>& page_totals_columns();
Record page_totals_record(const kvm::Kvm& kvm, const kvm::Vm& vm, const PageTotals& totals);
// "103 pages (used 103, max 327): L4 3, L3 30; unsync 5, invalid 0, obsolete 0"
std::string page_totals_line(const RecordView& record);

}  // namespace kvmscope
