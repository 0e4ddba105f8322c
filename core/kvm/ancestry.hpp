// The way up from a shadow page: the entries that point to it, those that point to their tables,
// up to roots.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/kvm/rmap.hpp"

namespace kvmscope::kvm {

// What root slots call a shadow page: "0.0", "0.1.prev0", "1.0.pae2".
using RootNames = std::map<VirtAddr, std::vector<std::string>>;

// One page on the way up, with the entry in it that leads down.
struct Ancestor {
  unsigned depth = 0;                 // 0: the page that was asked for
  VirtAddr spte_address = {};         // of the entry; 0 at depth 0
  const Error* lost = nullptr;        // why the page that it is in is not known
  const ShadowPage* page = nullptr;   // set unless lost
  const ShadowPage* child = nullptr;  // what the entry leads to; nullptr at depth 0
  unsigned index = 0;
  std::uint64_t spte = 0;
  bool last = true;                   // of the entries that lead to `child`
  bool repeated = false;              // what is above it was shown before
  const Error* above_lost = nullptr;  // why not all above it is known
};

struct AncestorVisitor {
  std::function<void(const Ancestor&)> visit;
  std::function<void()> enter;  // around what is above the page visited last
  std::function<void()> leave;
};

// Depth-first, the page itself first. A page that is met again is visited, but what is above it is
// not shown again. Each parent is one level above its child, so there is no loop; an entry that
// breaks that, or does not point to the child, is lost. Throws Error{fault} after `most` visits.
void walk_ancestors(const Kvm& kvm, const ShadowPage& page, std::uint64_t most,
                    const AncestorVisitor& visitor);

// The parent's entry at `spte_address`. Throws Error{corrupt} when it does not point to `child`
// from the level above.
SptePlace parent_place(const Kvm& kvm, VirtAddr spte_address, const ShadowPage& child);

// The ways down from roots to a page, in words: "0.0.prev0 4[1] 3[0] 2[0]". A page above that no
// slot calls a root is named by its address.
class RootPaths {
 public:
  struct Paths {
    // The first `most_texts`, those from a root that some slot holds before the others.
    std::vector<std::string> texts;
    std::size_t named = 0;    // how many of them are
    std::uint64_t count = 0;  // of all
  };
  static constexpr std::size_t most_texts = 16;

  // Keeps the references.
  RootPaths(const Kvm& kvm, const RootNames& names) : kvm_(kvm), names_(names) {}

  // Throws Error{fault}, Error{corrupt} where the way up breaks off.
  const Paths& to(const ShadowPage& page);

 private:
  const Kvm& kvm_;
  const RootNames& names_;
  std::map<VirtAddr, Paths> known_;
};

}  // namespace kvmscope::kvm
