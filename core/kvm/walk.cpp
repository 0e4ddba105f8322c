#include "core/kvm/walk.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"
#include "core/kvm/special_tables.hpp"

namespace kvmscope::kvm {
namespace {

constexpr unsigned index_bits = 9;

unsigned shift_of(unsigned level) {
  return page_shift + index_bits * (level - 1);
}

// Guest virtual addresses are shown canonical, as the guest writes them.
std::uint64_t canonical(const TreeStart& start, std::uint64_t address) {
  const unsigned bits = page_shift + index_bits * start.level;
  if (start.domain != Domain::gva || start.level < 4) return address;
  return static_cast<std::uint64_t>(sign_extend(address, bits));
}

// An address beyond the root's own would be taken for another one: only its low bits lead anywhere.
void check_mapped(const TreeStart& start, std::uint64_t address) {
  const std::uint64_t size = entries_of(start.level, start.special) * leaf_size(start.level);
  const std::uint64_t inside = start.base + ((address - start.base) & (size - 1));
  if (canonical(start, inside) == address) return;
  throw_error(ErrorKind::usage, "{} {:#x} is outside of what this root can map: {:#x} to {:#x}{}",
              name(start.domain), address, start.base, start.base + size - 1,
              canonical(start, size - 1) != size - 1 ? ", sign-extended" : "");
}

}  // namespace

Table top_table(const Kvm& kvm, const TreeStart& start) {
  Table table{};
  const unsigned bytes = 8 * entries_of(start.level, start.special);
  kvm.kernel().physical().read(start.table, std::as_writable_bytes(std::span(table)).first(bytes));
  return table;
}

Error met_again(PhysAddr table) {
  return {ErrorKind::corrupt,
          fmt::format("the table at {:#x} is met again on its own path", table.value)};
}

std::string_view name(Domain domain) {
  switch (domain) {
    case Domain::gva: return "gva";
    case Domain::gpa: return "gpa";
    case Domain::l2_gpa: return "l2-gpa";
  }
  return "gva";
}

TreeStart start_of(const Root& root) {
  if (root.lost) throw Error(*root.lost);
  TreeStart start{root.hpa, root.level, root.special, root.page, Domain::gva, 0};
  if (root.pae) start.base = *root.pae * leaf_size(pae_level);
  if (root.mmu == MmuKind::guest_mmu)
    start.domain = Domain::l2_gpa;
  else if (root.direct)
    start.domain = Domain::gpa;
  return start;
}

TreeStart start_of(const Kvm& kvm, const ShadowPage& page) {
  const std::optional<PhysAddr> table = kvm.kernel().direct_phys(page.spt);
  if (!table || !is_aligned(page.spt.value, page_size))
    throw_error(ErrorKind::corrupt, "the spt of shadow page {:#x} is {:#x}, which is no table",
                page.address.value, page.spt.value);
  const Domain domain = page.role.guest_mode && page.role.direct ? Domain::l2_gpa
                        : page.role.direct                       ? Domain::gpa
                                                                 : Domain::gva;
  return {*table, page.level(), false, page, domain, 0};
}

namespace {

class TreeWalk {
 public:
  TreeWalk(const Kvm& kvm, const TreeStart& start, const TreeLimits& limits,
           const TreeVisitor& visitor)
      : kvm_(kvm), start_(start), limits_(limits), visitor_(visitor), format_(kvm.spte_format()) {}

  void run() {
    walk({start_.table, start_.level, 0, start_.base, start_.special}, top_table(kvm_, start_),
         {start_.page, {}});
  }

 private:
  // The shadow page of a table, or why it could not be read; neither for a special table.
  struct Owner {
    std::optional<ShadowPage> page;
    std::optional<Error> lost;
  };

  struct Place {
    PhysAddr table;
    unsigned level;
    unsigned depth;
    std::uint64_t base;  // the first address that the table maps
    bool special;
  };

  void walk(const Place& at, const Table& table, const Owner& owner);
  void visit(Entry& entry, bool last);
  bool shown(const Place& at, const Table& table, unsigned index) const;
  SpteKind kind(std::uint64_t entry, unsigned level, bool special) const {
    return special ? special_kind(entry) : format_.kind(entry, level);
  }

  const Kvm& kvm_;
  const TreeStart& start_;
  const TreeLimits& limits_;
  const TreeVisitor& visitor_;
  const SpteFormat format_;
  std::vector<PhysAddr> path_;
  std::uint64_t visited_ = 0;
};

bool TreeWalk::shown(const Place& at, const Table& table, unsigned index) const {
  if (kind(table[index], at.level, at.special) == SpteKind::nonpresent) return false;
  const std::uint64_t size = leaf_size(at.level);
  const std::uint64_t first = canonical(start_, at.base + index * size);
  return first <= limits_.last && first + (size - 1) >= limits_.first;
}

void TreeWalk::walk(const Place& at, const Table& table, const Owner& owner) {
  check_interrupt();
  if (std::find(path_.begin(), path_.end(), at.table) != path_.end()) throw met_again(at.table);
  path_.push_back(at.table);
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
    visit(entry, next == entries_per_table);
  }
  path_.pop_back();
}

// Shows one entry and what is below it. What cannot be read is told with the entry.
void TreeWalk::visit(Entry& entry, bool last) {
  if (++visited_ > limits_.max_entries)
    throw_error(ErrorKind::fault, "stopped after {} entries (--max-entries)", limits_.max_entries);
  const bool wanted = limits_.level == 0 || limits_.level == entry.level;
  if (entry.kind != SpteKind::table) {
    if (wanted) visitor_.visit(entry, last);
    return;
  }
  const bool descend = entry.depth < limits_.depth && entry.level > 1 &&
                       (limits_.level == 0 || entry.level > limits_.level);
  const PhysAddr target = format_.target(entry.spte);
  Owner child;
  Table table{};
  child.lost = lost_in([&] { child.page = kvm_.page_of_table(target); });
  if (child.lost) child.page.reset();
  std::optional<Error> no_table;
  if (descend) no_table = lost_in([&] { table = read_table(kvm_.kernel().physical(), target); });
  entry.child = &child.page;
  entry.lost = no_table ? &*no_table : child.lost ? &*child.lost : nullptr;
  // Entries of one level hide those above; one whose table is lost is shown all the same.
  if (wanted || no_table) visitor_.visit(entry, last);
  if (!descend || no_table) return;
  if (wanted) visitor_.enter();
  walk({target, entry.level - 1, entry.depth + 1, entry.address,
        special_below(entry.special, entry.level)},
       table, child);
  if (wanted) visitor_.leave();
}

}  // namespace

void walk_tree(const Kvm& kvm, const TreeStart& start, const TreeLimits& limits,
               const TreeVisitor& visitor) {
  TreeWalk(kvm, start, limits, visitor).run();
}

std::vector<PathStep> walk_path(const Kvm& kvm, const TreeStart& start, std::uint64_t address) {
  check_mapped(start, address);
  const SpteFormat& format = kvm.spte_format();
  std::vector<PathStep> steps;
  PhysAddr table = start.table;
  std::optional<ShadowPage> page = start.page;
  std::optional<Error> page_lost;
  bool special = start.special;
  for (unsigned level = start.level; level >= 1; --level) {
    const unsigned count = entries_of(level, special);
    PathStep step;
    step.entry.depth = start.level - level;
    step.entry.level = level;
    step.entry.index = static_cast<unsigned>(address >> shift_of(level)) & (count - 1);
    step.entry.address = align_down(address, leaf_size(level));
    const PhysAddr at = table + 8 * step.entry.index;
    step.entry.spte_address = kvm.kernel().direct_map(at);
    const std::optional<Error> missing = lost_in([&] {
      step.entry.spte = with_context(
          [&] { return fmt::format("reading the level {} entry of {:#x}", level, address); },
          [&] { return kvm.kernel().physical().u64(at); });
    });
    if (missing && steps.empty()) throw Error(*missing);
    if (missing) {
      steps.back().lost = missing;
      break;
    }
    step.entry.special = special;
    step.entry.kind = special ? special_kind(step.entry.spte) : format.kind(step.entry.spte, level);
    step.parent = page;
    step.parent_lost = page_lost;
    const bool descend = step.entry.kind == SpteKind::table && level > 1;
    if (descend) {
      table = format.target(step.entry.spte);
      page_lost = lost_in([&] { page = kvm.page_of_table(table); });
      if (page_lost) page.reset();
      step.lost = page_lost;
      step.child = page;
      special = special_below(special, level);
    }
    steps.push_back(std::move(step));
    if (!descend) break;
  }
  return steps;
}

}  // namespace kvmscope::kvm
