// Every non-empty entry of a tree, depth first; on a kernel that runs each table is checked.

#include <algorithm>
#include <map>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"
#include "core/kvm/special_tables.hpp"
#include "core/memory/settle.hpp"

namespace kvmscope::kvm {
namespace {

// The part of a recording that all entries of a table depend on.
constexpr std::size_t whole_table = entries_per_table;

using Page = std::optional<ShadowPage>;

// The shadow page of a table, or why it could not be read; neither for a special table.
struct Owner {
  Page page;
  std::optional<Error> lost;
};

struct Place {
  PhysAddr table;
  unsigned level = 0;
  unsigned depth = 0;
  std::uint64_t base = 0;  // the first address that the table maps
  bool special = false;
};

// What is behind an entry.
struct Behind {
  Page page;
  std::optional<Error> lost;
  std::optional<Gfn> gfn;  // of a leaf
  std::string torn;
};

// A table. While the kernel runs, what is behind its entries is read with it and checked with it.
struct Opened {
  Table table{};
  std::map<unsigned, Behind> behind;  // by index
  std::string torn;                   // all of it: the table is not in the tree any more

  // Something could not be read, although nothing changed.
  bool damaged() const {
    return torn.empty() && std::ranges::any_of(behind, [](const auto& entry) {
             return entry.second.lost && entry.second.torn.empty();
           });
  }
};

class TreeWalk {
 public:
  TreeWalk(const Kvm& kvm, const TreeStart& start, const TreeLimits& limits,
           const TreeVisitor& visitor)
      : kvm_(kvm),
        start_(start),
        limits_(limits),
        visitor_(visitor),
        format_(format_of(kvm, start)),
        steady_(kvm.kernel().steady()) {}

  void run() {
    const Place top{start_.table, start_.level, 0, start_.base, start_.special};
    walk(top, open(top, start_.page), {start_.page, std::nullopt});
  }

 private:
  // An entry above the table that is being walked.
  struct Link {
    PhysAddr at;
    PhysAddr target;
  };

  void walk(const Place& at, const Opened& opened, const Owner& owner);
  void visit(Entry& entry, Behind behind, bool last);
  bool shown(const Place& at, const Table& table, unsigned index) const;
  SpteKind kind(std::uint64_t entry, unsigned level, bool special) const {
    return special ? special_kind(entry) : format_.kind(entry, level);
  }
  Behind behind(const Place& at, const Page& page, const Table& table, unsigned index) const;
  Table read(const Place& at) const {
    return at.depth == 0 ? top_table(kvm_, start_) : read_table(kvm_.kernel().physical(), at.table);
  }
  Opened open(const Place& at, const Page& page) const;
  Opened open_once(const Place& at, const Page& page, bool& again) const;
  void use_way() const;

  const Kvm& kvm_;
  const TreeStart& start_;
  const TreeLimits& limits_;
  const TreeVisitor& visitor_;
  const SpteFormat format_;
  const SteadyMemory* steady_;
  std::vector<PhysAddr> path_;
  std::vector<Link> way_;
  std::uint64_t visited_ = 0;
};

bool TreeWalk::shown(const Place& at, const Table& table, unsigned index) const {
  if (kind(table[index], at.level, at.special) == SpteKind::nonpresent) return false;
  const std::uint64_t size = leaf_size(at.level);
  const std::uint64_t first = canonical(start_, at.base + index * size);
  return first <= limits_.last && first + (size - 1) >= limits_.first;
}

Behind TreeWalk::behind(const Place& at, const Page& page, const Table& table,
                        unsigned index) const {
  Behind found;
  const SpteKind kind = this->kind(table[index], at.level, at.special);
  if (kind == SpteKind::table) {
    const PhysAddr target = format_.target(table[index]);
    found.lost = lost_in([&] { found.page = kvm_.page_of_table(target); });
    if (found.lost) found.page.reset();
  } else if (kind == SpteKind::leaf && page && steady_ != nullptr) {
    found.lost = lost_in([&] { found.gfn = kvm_.entry_gfn(*page, index); });
  }
  return found;
}

// The root is still the same page, and the entries from it down to here still lead here. What else
// is in an entry (the processor sets its accessed bit) may change.
void TreeWalk::use_way() const {
  if (start_.page) kvm_.use_identity(*start_.page);
  for (const Link& link : way_) {
    const std::uint64_t entry = kvm_.kernel().physical().u64(link.at);
    if ((entry & 1) == 0 || format_.target(entry) != link.target)
      throw_error(ErrorKind::torn, "the entry at {:#x} that led here is {:#x} now",
                  kvm_.kernel().direct_map(link.at).value, entry);
  }
}

Opened TreeWalk::open_once(const Place& at, const Page& page, bool& again) const {
  Recording recording(steady_);
  Opened opened;
  recording.part(whole_table);
  const std::optional<Error> gone = lost_in([&] { use_way(); });
  opened.table = read(at);
  if (page && page->gfn_table.value != 0)
    lost_in([&] { steady_->keep(page->gfn_table, sizeof(Table)); });
  for (unsigned index = 0; index < entries_of(at.level, at.special); ++index) {
    if (!shown(at, opened.table, index)) continue;
    recording.part(index);
    use_entry(kvm_.kernel().physical(), at.table, opened.table, index);
    opened.behind.emplace(index, behind(at, page, opened.table, index));
  }
  steady_->drop_kept();
  const auto changes = recording.changes();
  for (const auto& [part, change] : changes) {
    if (part == whole_table)
      opened.torn = change;
    else
      opened.behind[static_cast<unsigned>(part)].torn = change;
  }
  if (gone) opened.torn = gone->what();
  again = !changes.empty() || gone ||
          std::any_of(opened.behind.begin(), opened.behind.end(),
                      [](const auto& entry) { return entry.second.lost.has_value(); });
  return opened;
}

Opened TreeWalk::open(const Place& at, const Page& page) const {
  Opened opened;
  if (steady_ == nullptr) {
    opened.table = read(at);
    return opened;
  }
  bool again = true;
  for (unsigned attempt = 0; attempt < most_attempts && again; ++attempt) {
    if (opened.damaged()) give_time_to_finish(attempt);
    opened = open_once(at, page, again);
  }
  // What a table holds that is not in the tree any more says nothing about the tree.
  if (!opened.torn.empty())
    throw_error(ErrorKind::torn, "what is below changed while it was read: {}", opened.torn);
  for (auto& [index, behind] : opened.behind)
    if (behind.lost && !behind.torn.empty())
      behind.lost = Error(ErrorKind::torn, behind.lost->what());
  return opened;
}

void TreeWalk::walk(const Place& at, const Opened& opened, const Owner& owner) {
  check_interrupt();
  if (std::find(path_.begin(), path_.end(), at.table) != path_.end()) throw met_again(at.table);
  path_.push_back(at.table);
  const Table& table = opened.table;
  unsigned next = 0;
  const auto find_next = [&](unsigned from) {
    while (from < entries_per_table && !shown(at, table, from)) ++from;
    return from;
  };
  for (unsigned index = find_next(0); index < entries_per_table; index = next) {
    next = find_next(index + 1);
    Entry entry;
    entry.depth = at.depth;
    entry.level = at.level;
    entry.index = index;
    entry.address = canonical(start_, at.base + index * leaf_size(at.level));
    entry.spte = table[index];
    entry.spte_address = kvm_.kernel().direct_map(at.table + 8 * index);
    entry.kind = kind(table[index], at.level, at.special);
    entry.special = at.special;
    entry.parent = owner.page ? &*owner.page : nullptr;
    entry.parent_lost = owner.lost ? &*owner.lost : nullptr;
    const auto known = opened.behind.find(index);
    way_.push_back({at.table + 8 * index, format_.target(table[index])});
    visit(entry,
          known != opened.behind.end() ? known->second : behind(at, owner.page, table, index),
          next == entries_per_table);
    way_.pop_back();
  }
  path_.pop_back();
}

// Shows one entry and what is below it. What cannot be read is told with the entry.
void TreeWalk::visit(Entry& entry, Behind behind, bool last) {
  if (++visited_ > limits_.max_entries)
    throw_error(ErrorKind::fault, "stopped after {} entries (--max-entries)", limits_.max_entries);
  const bool wanted = limits_.level == 0 || limits_.level == entry.level;
  entry.gfn = behind.gfn;
  entry.torn = std::move(behind.torn);
  if (entry.kind != SpteKind::table) {
    if (wanted) visitor_.visit(entry, last);
    return;
  }
  const bool descend = entry.depth < limits_.depth && entry.level > 1 &&
                       (limits_.level == 0 || entry.level > limits_.level);
  const Place below{format_.target(entry.spte), entry.level - 1, entry.depth + 1, entry.address,
                    special_below(entry.special, entry.level)};
  std::optional<Error> no_table;
  Opened opened;
  if (descend) no_table = lost_in([&] { opened = open(below, behind.page); });
  if (no_table && no_table->kind() == ErrorKind::torn && entry.torn.empty())
    entry.torn = no_table->what();
  entry.child = &behind.page;
  entry.lost = no_table ? &*no_table : behind.lost ? &*behind.lost : nullptr;
  // Entries of one level hide those above; one whose table is lost is shown all the same.
  if (wanted || no_table) visitor_.visit(entry, last);
  if (!descend || no_table) return;
  if (wanted) visitor_.enter();
  walk(below, opened, {behind.page, behind.lost});
  if (wanted) visitor_.leave();
}

}  // namespace

void walk_tree(const Kvm& kvm, const TreeStart& start, const TreeLimits& limits,
               const TreeVisitor& visitor) {
  TreeWalk(kvm, start, limits, visitor).run();
}

}  // namespace kvmscope::kvm
