#include "commands/snapshot/page_counts.hpp"

#include "core/memory/reader.hpp"

namespace kvmscope::snapshots {

void PageCounts::add(const kvm::ShadowPage* page, bool obsolete) {
  ++pages_;
  if (page == nullptr) {
    ++unreadable_;
    return;
  }
  unsync_ += page->unsync;
  invalid_ += page->role.invalid;
  obsolete_ += obsolete;
  roots_ += page->root_count > 0;
  const std::pair key(page->tdp_mmu, page->role.word);
  const bool known = roles_.contains(key) || roles_.size() < most_roles;
  Count& count = known ? roles_[key] : others_.at(page->level());
  count.role = page->role;
  count.tdp_mmu = page->tdp_mmu;
  ++count.pages;
  count.unsync += page->unsync;
  count.obsolete += obsolete;
}

const std::vector<Column>& PageCounts::columns() {
  using K = ColumnKind;
  static const std::vector<Column> all = {
      {"pages", K::count, "shadow pages, and those of the TDP MMU"},
      {"bytes", K::count, "that their tables take"},
      {"roots", K::count, "pages in use as a root"},
      {"unsync", K::count, "unsync pages"},
      {"invalid", K::count, "invalid pages"},
      {"obsolete", K::count, "obsolete pages"},
      {"unreadable", K::count, "pages that could not be read"}};
  return all;
}

Record PageCounts::record() const {
  return {{pages_, pages_ * page_size, roots_, unsync_, invalid_, obsolete_, unreadable_}};
}

const std::vector<Column>& PageCounts::role_columns() {
  using K = ColumnKind;
  static const std::vector<Column> all = {{"level", K::count, "1 maps 4 KiB pages"},
                                          {"tdp_mmu", K::flag, "of the TDP MMU"},
                                          {"role", K::hex, "role.word; null: many others"},
                                          {"role_text", K::text, "in the tracepoints' words"},
                                          {"pages", K::count, ""},
                                          {"unsync", K::count, "of them"},
                                          {"obsolete", K::count, "of them"}};
  return all;
}

Record PageCounts::record_of(const Count& count, bool known) {
  return {{std::uint64_t{count.role.level}, count.tdp_mmu,
           known ? Value{Hex(std::uint64_t{count.role.word})} : Value{},
           known ? Value{count.role.text()} : Value{}, count.pages, count.unsync, count.obsolete}};
}

Records PageCounts::by_role() const {
  Records records;
  for (const auto& [key, count] : roles_) records.push_back(record_of(count, true));
  for (const Count& count : others_)
    if (count.pages != 0) records.push_back(record_of(count, false));
  return records;
}

}  // namespace kvmscope::snapshots
