// The record of one page-table entry, which `tree` and `path` share.
#pragma once

#include <string>
#include <vector>

#include "commands/output/record.hpp"
#include "core/kvm/walk.hpp"

namespace kvmscope {

struct EntryItem {
  const kvm::Kvm& kvm;
  const kvm::Entry& entry;
  kvm::Domain domain;

  const kvm::ShadowPage* child() const {
    return entry.child != nullptr && *entry.child ? &**entry.child : nullptr;
  }
  // Null for an entry of a table that has no shadow page. Throws when that could not be read.
  const kvm::ShadowPage* parent() const {
    if (entry.parent_lost != nullptr) throw Error(*entry.parent_lost);
    return entry.parent;
  }
  bool present() const {
    return entry.kind == kvm::SpteKind::table || entry.kind == kvm::SpteKind::leaf;
  }
};

const std::vector<FieldOf<EntryItem>>& entry_fields();

// "rwxu A- HM": permissions, accessed and dirty, host- and MMU-writable.
std::string permission_text(const RecordView& record);    // "rwxu"
std::string access_dirty_text(const RecordView& record);  // "A-"
std::string writable_text(const RecordView& record);      // "HM"
// "4K", "2M", "1G"
std::string size_text(std::uint64_t level);

}  // namespace kvmscope
