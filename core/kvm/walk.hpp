// Walks of the page-table trees that KVM built: every entry, or one path.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/kvm/kvm.hpp"
#include "core/memory/reader.hpp"

namespace kvmscope::kvm {

// What addresses of a tree mean.
enum class Domain { gva, gpa, l2_gpa };
std::string_view name(Domain domain);

// Where a walk starts: a table, with or without a shadow page.
struct TreeStart {
  PhysAddr table;
  unsigned level = 0;
  bool special = false;            // pae_root and the like: entries are present by bit 0
  std::optional<ShadowPage> page;  // of `table`; none for special and dummy roots
  Domain domain = Domain::gva;
  std::uint64_t base = 0;  // the first address that the table maps: paeN starts at N GiB
  std::optional<std::uint64_t> mmio_value = {};  // of its VM, where it is known and has one
};
TreeStart start_of(const Root& root);
TreeStart start_of(const Kvm& kvm, const ShadowPage& page);
SpteFormat format_of(const Kvm& kvm, const TreeStart& start);

// One entry of a table, as a walk meets it.
struct Entry {
  unsigned depth = 0;  // 0 in the root's table
  unsigned level = 0;
  unsigned index = 0;
  std::uint64_t address = 0;  // first address that it maps, in the tree's domain
  std::uint64_t spte = 0;
  VirtAddr spte_address;
  SpteKind kind = SpteKind::nonpresent;
  bool special = false;                              // in a table with no shadow page
  const ShadowPage* parent = nullptr;                // the page whose table this is in
  const Error* parent_lost = nullptr;                // why that could not be read, if there is one
  const std::optional<ShadowPage>* child = nullptr;  // of a table entry; empty: not known
  const Error* lost = nullptr;  // why the child, or its table, could not be read
  std::optional<Gfn> gfn;       // that a leaf maps, where the walk read it along
  std::string torn = {};        // what of it changed while the kernel ran; empty: nothing
};

struct TreeLimits {
  unsigned depth = ~0U;     // deepest entry to show
  unsigned level = 0;       // 0: all, else only entries of this level
  std::uint64_t first = 0;  // addresses, inclusive
  std::uint64_t last = ~0ULL;
  std::uint64_t max_entries = 10'000'000;
};

// Depth-first over the non-empty entries. `enter` and `leave` surround the entries below the
// one visited last; there are none where Entry::lost says why. While the kernel runs, each table is
// read again together with what its entries lead to and with the entries that lead to it from the
// root down; one entry is torn where that changed each time. Throws Error{fault} when the root's
// table is missing or max_entries is reached, Error{corrupt} when a table comes again on its own
// path.
struct TreeVisitor {
  std::function<void(const Entry&, bool last_sibling)> visit;
  std::function<void()> enter;
  std::function<void()> leave;
};
void walk_tree(const Kvm& kvm, const TreeStart& start, const TreeLimits& limits,
               const TreeVisitor& visitor);

// The entries on the way to `address`, from the root down to a leaf, a hole or a table that cannot
// be read. Throws Error{fault} when that is the root's, Error{usage} when the root cannot map such
// an address. In each, `entry.parent` and `entry.child` are left to the caller, who knows where the
// step stays.
struct PathStep {
  Entry entry;
  std::optional<ShadowPage> parent;
  std::optional<Error> parent_lost;
  std::optional<ShadowPage> child;
  std::optional<Error> lost;  // why the child, or its entry, could not be read
};
std::vector<PathStep> walk_path(const Kvm& kvm, const TreeStart& start, std::uint64_t address);

// How many bytes one leaf of this level maps.
constexpr std::uint64_t leaf_size(unsigned level) {
  return page_size << (9 * (level - 1));
}

}  // namespace kvmscope::kvm
