#include "commands/entries.hpp"

#include <algorithm>

namespace kvmscope {
namespace {

using K = ColumnKind;
using Item = EntryItem;

bool has_word(const RecordView& record, std::string_view word) {
  const Words& words = record.words("flags");
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string marks(const RecordView& record,
                  std::initializer_list<std::pair<std::string_view, char>> letters) {
  std::string text;
  for (const auto& [word, letter] : letters) text += has_word(record, word) ? letter : '-';
  return text;
}

// The frame of the page behind a table entry, or the frame that a leaf maps.
Value gfn_of(const Item& item) {
  if (const kvm::ShadowPage* child = item.child()) return Hex(child->gfn);
  if (item.entry.lost != nullptr) throw Error(*item.entry.lost);
  if (item.entry.kind != kvm::SpteKind::leaf) return {};
  if (item.entry.gfn) return Hex(*item.entry.gfn);
  const kvm::ShadowPage* parent = item.parent();
  return parent != nullptr ? Value{Hex(item.kvm.entry_gfn(*parent, item.entry.index))} : Value{};
}

Value pfn_of(const Item& item) {
  if (!item.present()) return {};
  return Hex(to_pfn(item.kvm.spte_format().target(item.entry.spte)));
}

Value sp_of(const Item& item) {
  if (item.child() != nullptr) return Hex(item.child()->address);
  if (item.entry.lost != nullptr) throw Error(*item.entry.lost);
  return {};
}

Value flags_of(const Item& item) {
  if (!item.present()) return Words{};
  return item.kvm.spte_format().flags(item.entry.spte, item.entry.level);
}

}  // namespace

const std::vector<FieldOf<EntryItem>>& entry_fields() {
  static const std::vector<FieldOf<EntryItem>> all = {
      {{"depth", K::count, "0 in the root's table"},
       [](const Item& i) -> Value { return std::uint64_t{i.entry.depth}; }},
      {{"level", K::count, "1 maps 4 KiB pages"},
       [](const Item& i) -> Value { return std::uint64_t{i.entry.level}; }},
      {{"index", K::count, "in its table"},
       [](const Item& i) -> Value { return std::uint64_t{i.entry.index}; }},
      {{"address", K::hex, "first address that it maps"},
       [](const Item& i) -> Value { return Hex(i.entry.address); }},
      {{"domain", K::text, "of the address: gva, gpa or l2-gpa"},
       [](const Item& i) -> Value { return std::string(kvm::name(i.domain)); }},
      {{"spte", K::hex, "the entry"}, [](const Item& i) -> Value { return Hex(i.entry.spte); }},
      {{"spte_address", K::hex, "where it stands"},
       [](const Item& i) -> Value { return Hex(i.entry.spte_address); }},
      {{"kind", K::text, "table, leaf, mmio, frozen, nonpresent or unknown"},
       [](const Item& i) -> Value { return std::string(kvm::name(i.entry.kind)); }},
      {{"gfn", K::hex, "sp->gfn of a table, mapped frame of a leaf"}, gfn_of},
      {{"pfn", K::hex, "host frame of the table or page"}, pfn_of},
      {{"sp", K::hex, "shadow page that a table entry points to"}, sp_of},
      {{"parent_sp", K::hex, "shadow page whose table this is in"},
       [](const Item& i) -> Value {
         return i.parent() != nullptr ? Value{Hex(i.parent()->address)} : Value{};
       }},
      {{"flags", K::words,
        "r w x u accessed dirty ad_disabled host_writable mmu_writable access_tracked huge"},
       flags_of},
      {{"kids", K::count, "unsync_children of the page below", {}, true},
       [](const Item& i) -> Value {
         return i.child() != nullptr ? Value{i.child()->unsync_children} : Value{};
       }},
      {{"unsync", K::flag, "whether the page below is unsync", {}, true},
       [](const Item& i) -> Value { return i.child() != nullptr && i.child()->unsync; }},
  };
  return all;
}

std::string permission_text(const RecordView& record) {
  return marks(record, {{"r", 'r'}, {"w", 'w'}, {"x", 'x'}, {"u", 'u'}});
}

std::string access_dirty_text(const RecordView& record) {
  return marks(record, {{"accessed", 'A'}, {"dirty", 'D'}});
}

std::string writable_text(const RecordView& record) {
  return marks(record, {{"host_writable", 'H'}, {"mmu_writable", 'M'}});
}

std::string size_text(std::uint64_t level) {
  return level == 1 ? "4K" : level == 2 ? "2M" : level == 3 ? "1G" : "?";
}

}  // namespace kvmscope
