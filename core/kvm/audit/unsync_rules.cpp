// Rules about shadow pages that lag behind the guest's tables, and the marks that lead to them.

#include <algorithm>
#include <bit>
#include <map>

#include "core/kvm/audit/describe.hpp"

namespace kvmscope::kvm::audit {
namespace {

using Bitmap = std::array<std::uint64_t, 8>;

void check_page(const Model&, const Node& node, Report& report) {
  const ShadowPage& page = node.page;
  if (page.tdp_mmu || !page.unsync) return;
  if (page.level() != 1) report.add(about(node, "is unsync, but not of level 1"));
  if (page.role.direct) report.add(about(node, "is unsync, but direct: it shadows no table"));
  if (page.role.invalid) report.add(about(node, "is unsync and invalid"));
}

void check_count(const Model& model, Report& report) {
  const std::uint64_t found = static_cast<std::uint64_t>(std::ranges::count_if(
      model.nodes(), [](const Node& node) { return !node.page.tdp_mmu && node.page.unsync; }));
  const std::uint64_t counted = model.counters().get(model.layout().unsync_pages);
  if (found != counted)
    report.add(about_vm(model, fmt::format("stat.mmu_unsync is {}, but {} pages are unsync",
                                           static_cast<std::int64_t>(counted), found)));
}

std::string with_unsync_count(const Model& model) {
  return without_member(model.layout().unsync_pages, "stat.mmu_unsync");
}

void check_children(const Model&, const Node& node, Report& report) {
  const ShadowPage& page = node.page;
  if (page.tdp_mmu) return;
  std::uint64_t bits = 0;
  for (const std::uint64_t word : page.unsync_child_bitmap)
    // Nearly all are 0, and the instruction that counts is not in every processor.
    if (word != 0) bits += static_cast<unsigned>(std::popcount(word));
  if (page.unsync_children != bits)
    report.add(about(node, fmt::format("has unsync_children {}, but {} bits in its "
                                       "unsync_child_bitmap",
                                       page.unsync_children, bits)));
  else if (page.level() == 1 && bits != 0)
    report.add(about(node, fmt::format("has {} unsync children, but its level is 1", bits)));
}

bool has_unsync(const ShadowPage& page) {
  return !page.tdp_mmu && (page.unsync || page.unsync_children != 0);
}

// The pages above one: what they say about what is below it has lost its reason.
std::vector<VirtAddr> above(const Model& model, const Node& node) {
  std::vector<VirtAddr> found;
  std::vector<const Node*> level = {&node};
  // The tables of a sound VM are 5 levels deep.
  for (unsigned step = 0; step < 5 && !level.empty(); ++step) {
    std::vector<const Node*> next;
    for (const TableLink& link : model.links())
      if (std::ranges::find(level, link.child) != level.end()) next.push_back(link.parent);
    for (const Node* parent : next) found.push_back(parent->page.address);
    level = std::move(next);
  }
  return found;
}

void check_marked(const Model& model, Report& report) {
  for (const TableLink& link : model.links()) {
    const ShadowPage& parent = link.parent->page;
    const ShadowPage& child = link.child->page;
    if (parent.tdp_mmu || !has_unsync(child) || test_bit(parent.unsync_child_bitmap, link.index))
      continue;
    Finding finding =
        about(*link.parent, fmt::format("leads with [{}] to {}, which {}, but that bit in "
                                        "unsync_child_bitmap is clear",
                                        link.index, words(child),
                                        child.unsync ? "is unsync" : "has unsync children"));
    finding.index = link.index;
    finding.related = {child.address, link.at};
    if (parent.unsync_children == 0)
      for (const VirtAddr page : above(model, *link.parent)) finding.related.push_back(page);
    report.add(std::move(finding));
  }
}

// ---- bits that KVM has not cleared yet

void note_stale(const Node& node, const Bitmap& real, Report& report) {
  std::string indexes;
  std::uint64_t count = 0;
  for (unsigned i = 0; i < 512; ++i)
    if (test_bit(node.page.unsync_child_bitmap, i) && !test_bit(real, i) && ++count <= 4)
      indexes += fmt::format(" [{}]", i);
  if (count == 0) return;
  report.add(about(node, fmt::format("has {} stale {} in unsync_child_bitmap:{}{}", count,
                                     count == 1 ? "bit" : "bits", indexes, count > 4 ? " …" : "")));
}

void check_stale(const Model& model, Report& report) {
  std::map<const Node*, Bitmap> real;
  for (const TableLink& link : model.links())
    if (has_unsync(link.child->page))
      real[link.parent][link.index / 64] |= std::uint64_t{1} << (link.index % 64);
  for (const Node& node : model.nodes()) {
    const ShadowPage& page = node.page;
    if (page.tdp_mmu || page.unsync_child_bitmap == Bitmap{}) continue;
    const auto found = real.find(&node);
    note_stale(node, found != real.end() ? found->second : Bitmap{}, report);
  }
}

}  // namespace

std::vector<Rule> unsync_rules() {
  return {
      {.name = "unsync-page",
       .what = "an unsync page is of level 1, indirect and valid",
       .when = "shadow pages",
       .source = "kvm_unsync_page, mmu_try_to_unsync_pages",
       .breaks = {"unsync-count", "unsync-bitmap"},
       .page = check_page},
      {.name = "unsync-count",
       .what = "stat.mmu_unsync is the number of unsync pages",
       .when = "",
       .source = "kvm_unsync_page, kvm_unlink_unsync_page",
       .whole = part::lists,
       .excuse = with_unsync_count,
       .check = check_count},
      {.name = "unsync-children",
       .what = "unsync_children is the number of bits in unsync_child_bitmap, and both are 0 in "
               "pages of level 1",
       .when = "shadow pages",
       .source = "mark_unsync, clear_unsync_child_bit",
       .breaks = {"unsync-bitmap", "unsync-stale"},
       .page = check_children},
      {.name = "unsync-bitmap",
       .what = "where the child is unsync or has unsync children, the entry's bit in "
               "unsync_child_bitmap is set",
       .when = "shadow pages",
       .source = "mark_unsync, link_shadow_page",
       .breaks = {"unsync-stale"},
       .reads = part::lists | part::tables,
       .check = check_marked},
      {.name = "unsync-stale",
       .what = "where the bit is set, the entry leads to a child that is unsync or has unsync "
               "children; KVM clears the others when a walk meets them",
       .when = "shadow pages",
       .source = "__mmu_unsync_walk, mmu_pages_clear_parents",
       .severity = Severity::info,
       .reads = part::lists | part::tables,
       .whole = part::lists | part::tables,
       .check = check_stale},
  };
}

}  // namespace kvmscope::kvm::audit
