// mmu_unsync_walk() and for_each_sp(), replayed outside the kernel on copies
// (arch/x86/kvm/mmu/mmu.c).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

// A page in struct kvm_mmu_pages, or on the path of struct mmu_page_path.
struct UnsyncPage {
  VirtAddr sp;
  unsigned level = 0;
  Gfn gfn;
  std::int64_t idx = -1;  // the entry in its parent that led here; -1: the root
};

struct UnsyncStep {
  std::uint64_t at = 0;             // index in pages
  VirtAddr sp;                      // a level-1 page
  std::vector<UnsyncPage> parents;  // from the leaf's parent up; idx: the entry taken inside it
};

// What one mmu_unsync_walk() collects and for_each_sp() visits.
struct UnsyncBatch {
  std::vector<UnsyncPage> pages;  // at most 16
  std::vector<UnsyncStep> steps;
  // Children that could not be read (taken as stale), counts that are wrong.
  std::vector<std::string> notes;
};

class UnsyncReplay {
 public:
  static constexpr std::size_t batch_size = 16;  // KVM_PAGE_ARRAY_NR

  UnsyncReplay(const Kvm& kvm, const ShadowPage& root);

  // The next batch, as mmu_sync_children() would meet it: after each batch its leaves become
  // clean and the bits of their parents are cleared. None when the replay is over.
  std::optional<UnsyncBatch> next();

 private:
  struct Page {
    ShadowPage copy;  // bits and counts change as the replay goes on
    std::optional<Table> table;
    bool miscounted = false;  // its count was lower than its bits
  };
  enum class Walked { nothing, some, full };

  Page& page_of(const ShadowPage& page);
  Page* child_of(Page& parent, unsigned index);
  const Table& table_of(Page& page);
  bool add(UnsyncBatch& batch, const Page& page, std::int64_t idx);
  Walked walk(Page& page, UnsyncBatch& batch);
  void clear_bit(Page& page, unsigned index);
  void run_steps(UnsyncBatch& batch);
  void clear_parents(const std::array<Page*, 6>& parent, const std::array<unsigned, 6>& idx);

  const Kvm& kvm_;
  std::map<VirtAddr, Page> pages_;  // node-based: references stay valid
  VirtAddr root_;
  std::uint64_t cleared_ = 0;
  std::vector<std::string> notes_;  // for the batch that is being made
  bool over_ = false;
};

}  // namespace kvmscope::kvm
