// The shadow pages of a VM one by one, as `pages` and `snapshot` look at them.
#pragma once

#include <functional>
#include <optional>

#include "commands/page_totals.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope {

// One page, read when a field is first asked for; a page that cannot be read keeps its row.
class PageItem {
 public:
  PageItem(const kvm::Kvm& kvm, const kvm::Vm& vm, VirtAddr address)
      : kvm(kvm), vm(vm), address(address) {}

  const kvm::ShadowPage& page() const {
    if (!page_) page_ = kvm.shadow_page(address);
    return *page_;
  }
  // Of an older mmu_valid_gen than the VM's.
  bool obsolete() const;

  const kvm::Kvm& kvm;
  const kvm::Vm& vm;
  const VirtAddr address;

 private:
  mutable std::optional<kvm::ShadowPage> page_;
};

// The records of `pages`; in pages.cpp.
const std::vector<FieldOf<PageItem>>& page_fields();

struct PageWalk {
  const kvm::Vm& vm;
  bool tdp = false;  // those of the TDP MMU, too
  // Whether a page counts and is made; it may be read for that. Empty: all do.
  std::function<bool(const PageItem&)> fits = {};
  // Sends the records of a page, as a part of steadily(): it may run several times.
  std::function<void(const PageItem&)> make = {};
  // Counts the page, once it is known how it is; none: it cannot be read.
  std::function<void(const kvm::ShadowPage*, bool obsolete)> count = {};
  // What a page that changed each time costs goes without a note: only totals are wanted.
  bool quiet = false;
};

struct PagesFound {
  bool all = true;       // none is missing
  std::size_t torn = 0;  // pages that changed each time
};

// Goes through the pages in the order in which they are found. On a kernel that runs some are read
// together, so that one look at the VM serves for all. What cannot be found is noted.
PagesFound walk_pages(Session& session, const PageWalk& walk, RowSink& rows);

}  // namespace kvmscope
