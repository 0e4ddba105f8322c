// The shadow pages of a fake VM: their structs, tables, entries, parents and unsync bits.

#include <algorithm>

#include "tests/support/fake_kernel.hpp"

namespace kvmscope {

FakePage FakeVm::add_page(const FakePageFacts& facts) {
  FakeMemory& memory = kernel_.memory();
  FakePage page{memory.allocate("kvm_mmu_page"), {}, facts.level};
  page.table = memory.allocate_page(page.address);
  for (unsigned i = 0; kernel_.empty_entry() != 0 && i < 512; ++i)
    memory.poke(page.entry(i), kernel_.empty_entry());
  const auto set = [&](FakeMemory::Spellings paths, std::uint64_t value) {
    memory.try_set(page.address, "kvm_mmu_page", paths, value);
  };
  set({"spt"}, page.table.value);
  set({"gfn"}, facts.gfn);
  set({"unsync"}, facts.unsync ? 1 : 0);
  set({"tdp_mmu_page"}, facts.tdp_mmu ? 1 : 0);
  set({"nx_huge_page_disallowed", "lpage_disallowed"}, facts.nx_huge_disallowed ? 1 : 0);
  const std::uint64_t gen = memory.get(address_, "kvm", "arch.mmu_valid_gen");
  if (!facts.tdp_mmu) set({"mmu_valid_gen"}, facts.obsolete ? gen ^ 1 : gen);
  if (!facts.direct) set({"shadowed_translation", "gfns"}, memory.allocate_page().value);
  write_role(page, facts);
  const VirtAddr link = memory.member(page.address, "kvm_mmu_page", "link");
  if (facts.tdp_mmu) {
    if (facts.root)
      memory.list_add_tail(link, memory.member(address_, "kvm", "arch.tdp_mmu_roots"));
  } else if (facts.listed) {
    memory.list_add_tail(link, memory.member(address_, "kvm", "arch.active_mmu_pages"));
    count_page();
  }
  if (!facts.tdp_mmu && facts.hashed) hash_page(page, facts.gfn);
  return page;
}

void FakeVm::count_page() {
  FakeMemory& memory = kernel_.memory();
  const char* used = memory.has("kvm", "stat.mmu_shadow_pages") ? "stat.mmu_shadow_pages"
                                                                : "arch.n_used_mmu_pages";
  set(used, memory.get(address_, "kvm", used) + 1);
}

void FakeVm::write_role(const FakePage& page, const FakePageFacts& facts) {
  FakeMemory& memory = kernel_.memory();
  const VirtAddr role = memory.member(page.address, "kvm_mmu_page", "role");
  const auto set = [&](FakeMemory::Spellings paths, std::uint64_t value) {
    memory.set(role, "kvm_mmu_page_role", paths, value);
  };
  set({"level"}, facts.level);
  if (!memory.try_set(role, "kvm_mmu_page_role", {"has_4_byte_gpte"}, facts.four_byte_gpte))
    set({"gpte_is_8_bytes", "cr4_pae"}, facts.four_byte_gpte ? 0 : 1);
  set({"quadrant"}, facts.quadrant);
  set({"direct"}, facts.direct);
  set({"access"}, facts.access);
  set({"invalid"}, facts.invalid);
  set({"efer_nx", "nxe"}, 1);
  set({"ad_disabled"}, facts.ad_disabled);
  set({"guest_mode"}, facts.guest_mode);
  set({"smm"}, facts.smm);
}

void FakeVm::link(const FakePage& parent, unsigned index, const FakePage& child) {
  FakeMemory& memory = kernel_.memory();
  memory.poke(parent.entry(index), kernel_.table_entry(child.hpa()));
  if (memory.has("kvm_mmu_page", "tdp_mmu_page") &&
      memory.get(child.address, "kvm_mmu_page", "tdp_mmu_page") != 0) {
    memory.try_set(child.address, "kvm_mmu_page", {"ptep"}, parent.entry(index).value);
    return;
  }
  parents_[child.address].push_back({parent, index});
  write_parents(child);
  if (memory.get(child.address, "kvm_mmu_page", "unsync") != 0 ||
      memory.get(child.address, "kvm_mmu_page", "unsync_children") != 0)
    mark(parent, index);
}

FakePage FakeVm::grow(const FakePage& parent, unsigned index, const FakePageFacts& facts) {
  const FakePage child = add_page(facts);
  link(parent, index, child);
  return child;
}

void FakeVm::map(const FakePage& page, unsigned index, Pfn pfn, const FakeLeaf& leaf) {
  FakeMemory& memory = kernel_.memory();
  memory.poke(page.entry(index), kernel_.leaf_entry(pfn, page.level, leaf));
  const bool translated = memory.has("kvm_mmu_page", "shadowed_translation");
  const VirtAddr table{
      memory.get(page.address, "kvm_mmu_page", translated ? "shadowed_translation" : "gfns")};
  if (table.value == 0) return;  // a direct page
  memory.poke(table + 8 * index, translated ? leaf.gfn << 12 | 7 : leaf.gfn);
}

// mark_unsync(): goes on to the parents of a page that had nothing unsync before.
void FakeVm::mark(const FakePage& parent, unsigned index) {
  FakeMemory& memory = kernel_.memory();
  const VirtAddr word =
      memory.member(parent.address, "kvm_mmu_page", "unsync_child_bitmap") + 8 * (index / 64);
  const std::uint64_t bit = 1ULL << (index % 64);
  if ((memory.peek(word) & bit) != 0) return;
  memory.poke(word, memory.peek(word) | bit);
  const std::uint64_t before = memory.get(parent.address, "kvm_mmu_page", "unsync_children");
  memory.set(parent.address, "kvm_mmu_page", "unsync_children", before + 1);
  if (before != 0) return;
  for (const Parent& above : parents_[parent.address]) mark(above.page, above.index);
}

void FakeVm::write_parents(const FakePage& child) {
  std::vector<VirtAddr> sptes;
  for (const Parent& parent : parents_[child.address])
    sptes.push_back(parent.page.entry(parent.index));
  write_spte_list(kernel_.memory().member(child.address, "kvm_mmu_page", "parent_ptes.val"), sptes);
}

}  // namespace kvmscope
