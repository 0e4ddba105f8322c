// Reverse maps and the way up from shadow pages, against kernels built in memory.

#include "core/kvm/rmap.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/kvm/ancestry.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

std::vector<VirtAddr> sptes_in(const Kvm& kvm, std::uint64_t head) {
  std::vector<VirtAddr> sptes;
  walk_pte_list(kvm, head, [&](VirtAddr spte) { sptes.push_back(spte); });
  return sptes;
}

class RmapOfEra : public testing::TestWithParam<Era> {
 protected:
  RmapOfEra() : kernel_({.era = GetParam()}) {
    vm_.add_slot({.base = 0x20, .npages = 0x500, .rmaps = true});
    table_ = vm_.add_page({.level = 1, .gfn = 0x100});
  }
  Memslot slot() { return kernel_.kvm().memslots(kernel_.vm()).front(); }
  std::uint64_t head_value(std::uint64_t gfn) {
    const Memslot found = slot();
    return rmap_value(kernel_.kvm(),
                      rmap_heads(found, memslot_arrays(kernel_.kvm(), found), {gfn}).front());
  }

  FakeKernel kernel_;
  FakeVm& vm_ = kernel_.add_vm();
  FakePage table_;
};

TEST_P(RmapOfEra, HoldsEverySpteOfAFrame) {
  for (const unsigned count : {1, 2, 3, 14, 15, 31}) {
    const std::uint64_t gfn = 0x40 + count;
    std::vector<VirtAddr> expected;
    for (unsigned i = 0; i < count; ++i) {
      vm_.reverse(table_, 32 * count % 400 + i, gfn);
      expected.push_back(table_.entry(32 * count % 400 + i));
    }
    EXPECT_THAT(sptes_in(kernel_.kvm(), head_value(gfn)),
                testing::UnorderedElementsAreArray(expected));
    EXPECT_EQ(walk_pte_list(kernel_.kvm(), head_value(gfn), {}).entries, count);
  }
}

TEST_P(RmapOfEra, IsFoundAtEveryLevel) {
  const Memslot found = slot();
  const std::vector<RmapHead> heads =
      rmap_heads(found, memslot_arrays(kernel_.kvm(), found), {0x41f});
  ASSERT_EQ(heads.size(), 3u);
  EXPECT_EQ(heads[0].gfn, Gfn{0x41f});
  EXPECT_EQ(heads[0].address, vm_.rmap_head(0x41f, 1));
  EXPECT_EQ(heads[1].gfn, Gfn{0x400});
  EXPECT_EQ(heads[1].address, vm_.rmap_head(0x41f, 2));
  EXPECT_EQ(heads[2].gfn, Gfn{0});
  EXPECT_THAT(rmap_heads(found, memslot_arrays(kernel_.kvm(), found), {0x520}), ElementsAre());
}

TEST_P(RmapOfEra, IsWalkedWhereItIsNotEmpty) {
  const FakePage two = vm_.add_page({.level = 2});
  vm_.reverse(table_, 1, 0x20);
  vm_.reverse(table_, 2, 0x51f);
  vm_.reverse(two, 3, 0x400);
  std::vector<std::pair<unsigned, std::uint64_t>> found;
  each_rmap_head(
      kernel_.kvm(), slot(), memslot_arrays(kernel_.kvm(), slot()),
      [&](const RmapHead& head, std::uint64_t) { found.emplace_back(head.level, head.gfn.value); },
      [](const Error& error) { FAIL() << error.what(); });
  EXPECT_THAT(found,
              ElementsAre(std::pair{1u, 0x20ul}, std::pair{1u, 0x51ful}, std::pair{2u, 0x400ul}));
}

INSTANTIATE_TEST_SUITE_P(Eras, RmapOfEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST(Rmap, GoesOnBehindAPageThatIsMissing) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  vm.add_slot({.base = 0, .npages = 0x600, .rmaps = true});
  const FakePage table = vm.add_page({.level = 1});
  vm.reverse(table, 1, 0x10);
  vm.reverse(table, 2, 0x450);
  const Memslot slot = kernel.kvm().memslots(kernel.vm()).front();
  kernel.memory().leave_out(vm.rmap_head(0, 1), 8);
  std::vector<std::uint64_t> found;
  unsigned lost = 0;
  each_rmap_head(
      kernel.kvm(), slot, memslot_arrays(kernel.kvm(), slot),
      [&](const RmapHead& head, std::uint64_t) { found.push_back(head.gfn.value); },
      [&](const Error& error) {
        ++lost;
        EXPECT_THAT(error.what(), testing::HasSubstr("rmaps of level 1 from gfn 0x0"));
      });
  EXPECT_THAT(found, ElementsAre(0x450u));
  EXPECT_EQ(lost, 1u);
}

TEST(Rmap, RefusesAMemslotThatBecameAnother) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  vm.add_slot({.base = 0, .npages = 0x10, .rmaps = true});
  Memslot slot = kernel.kvm().memslots(kernel.vm()).front();
  slot.npages = 0x20;
  EXPECT_ERROR(memslot_arrays(kernel.kvm(), slot), ErrorKind::corrupt, "has 16 pages");
}

TEST(SptePlace, IsThePageAndTheIndex) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  const FakePage table = vm.add_page({.level = 1});
  vm.map(table, 7, {0x123});
  const SptePlace place = spte_place(kernel.kvm(), table.entry(7));
  EXPECT_EQ(place.page.address, table.address);
  EXPECT_EQ(place.index, 7u);
  EXPECT_EQ(place.spte, kernel.memory().peek(table.entry(7)));
}

TEST(SptePlace, KnowsWhatTheGuestAllowed) {
  FakeKernel kernel;
  kernel.add_vm();
  SptePlace place;
  place.index = 3;
  place.page.role.direct = true;
  place.page.role.access = 7;
  EXPECT_EQ(guest_allowed_writes(kernel.kvm(), place), true);
  place.page.role.access = 5;
  EXPECT_EQ(guest_allowed_writes(kernel.kvm(), place), false);

  // An indirect page of a role with every right says it entry by entry.
  place.page.role.direct = false;
  place.page.role.access = 7;
  place.page.gfn_table = kernel.memory().allocate_page();
  EXPECT_EQ(guest_allowed_writes(kernel.kvm(), place), std::nullopt);
  place.page.gfn_table_has_access = true;
  kernel.memory().poke(place.page.gfn_table + 8 * 3, 0x1234005);
  EXPECT_EQ(guest_allowed_writes(kernel.kvm(), place), false);
  kernel.memory().poke(place.page.gfn_table + 8 * 3, 0x1234007);
  EXPECT_EQ(guest_allowed_writes(kernel.kvm(), place), true);
}

TEST(SptePlace, RefusesWhatIsNoTable) {
  FakeKernel kernel;
  kernel.add_vm();
  const VirtAddr other = kernel.memory().allocate_page();
  EXPECT_ERROR(spte_place(kernel.kvm(), other + 8), ErrorKind::corrupt, "no shadow page has");
  EXPECT_ERROR(spte_place(kernel.kvm(), other + 4), ErrorKind::corrupt, "not the address");
  EXPECT_ERROR(spte_place(kernel.kvm(), {0x1000}), ErrorKind::corrupt, "not the address");
}

// ---- the way up

// root[1], root[2] → three; three[0] → two; two[5] → one.
struct Diamond {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  FakePage root = vm.add_page({.level = 4});
  FakePage three = vm.add_page({.level = 3});
  FakePage two = vm.add_page({.level = 2});
  FakePage one = vm.add_page({.level = 1});

  Diamond() {
    vm.link(root, 1, three);
    vm.link(root, 2, three);
    vm.link(three, 0, two);
    vm.link(two, 5, one);
  }
  std::vector<std::string> seen(std::uint64_t most = 100) {
    std::vector<std::string> texts;
    walk_ancestors(
        kernel.kvm(), kernel.page(one), most,
        {.visit =
             [&](const Ancestor& at) {
               texts.push_back(at.lost != nullptr
                                   ? std::string("lost")
                                   : fmt::format("{}:L{}[{}]{}", at.depth, at.page->level(),
                                                 at.index, at.repeated ? " again" : ""));
             },
         .enter = [] {},
         .leave = [] {}});
    return texts;
  }
};

TEST(Ancestors, LeadToRootsAndAreShownOnce) {
  Diamond diamond;
  EXPECT_THAT(diamond.seen(),
              ElementsAre("0:L1[0]", "1:L2[5]", "2:L3[0]", "3:L4[1]", "3:L4[2] again"));
}

TEST(Ancestors, AreBounded) {
  Diamond diamond;
  EXPECT_ERROR(diamond.seen(3), ErrorKind::fault, "more than 3 parents");
}

TEST(Ancestors, ThatAreNotOneLevelAboveAreLost) {
  Diamond diamond;
  diamond.kernel.memory().set(diamond.two.address, "kvm_mmu_page", "parent_ptes.val",
                              diamond.two.entry(5).value);
  EXPECT_THAT(diamond.seen(), ElementsAre("0:L1[0]", "1:L2[5]", "lost"));
}

TEST(Ancestors, WhoseEntryLeadsElsewhereAreLost) {
  Diamond diamond;
  diamond.kernel.memory().poke(diamond.two.entry(5), diamond.kernel.empty_entry());
  EXPECT_THAT(diamond.seen(), ElementsAre("0:L1[0]", "lost"));
}

TEST(RootPaths, AreAllWaysFromRoots) {
  Diamond diamond;
  const RootNames names = {{diamond.root.address, {"0.0", "0.1.prev0"}}};
  RootPaths paths(diamond.kernel.kvm(), names);
  const RootPaths::Paths& found = paths.to(diamond.kernel.page(diamond.one));
  EXPECT_EQ(found.count, 4u);
  EXPECT_THAT(found.texts,
              UnorderedElementsAre("0.0 4[1] 3[0] 2[5]", "0.0 4[2] 3[0] 2[5]",
                                   "0.1.prev0 4[1] 3[0] 2[5]", "0.1.prev0 4[2] 3[0] 2[5]"));
}

TEST(RootPaths, StartAtAPageThatNothingLeadsTo) {
  Diamond diamond;
  const RootNames names;
  RootPaths paths(diamond.kernel.kvm(), names);
  EXPECT_THAT(paths.to(diamond.kernel.page(diamond.three)).texts,
              ElementsAre(fmt::format("{:#x} 4[1]", diamond.root.address.value),
                          fmt::format("{:#x} 4[2]", diamond.root.address.value)));
}

TEST(RootPaths, AreCountedThoughNotAllAreTold) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  const FakePage root = vm.add_page({.level = 2});
  const FakePage one = vm.add_page({.level = 1});
  for (unsigned i = 0; i < 100; ++i) vm.link(root, i, one);
  const RootNames names;
  RootPaths paths(kernel.kvm(), names);
  EXPECT_EQ(paths.to(kernel.page(one)).count, 100u);
  EXPECT_EQ(paths.to(kernel.page(one)).texts.size(), RootPaths::most_texts);
}

TEST(RootPaths, TellOfRootsInUseFirst) {
  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  const FakePage idle = vm.add_page({.level = 2});
  const FakePage held = vm.add_page({.level = 2});
  const FakePage one = vm.add_page({.level = 1});
  for (unsigned i = 0; i < 100; ++i) vm.link(idle, i, one);
  vm.link(held, 3, one);
  const RootNames names = {{held.address, {"0.0"}}};
  RootPaths paths(kernel.kvm(), names);
  const RootPaths::Paths& found = paths.to(kernel.page(one));
  EXPECT_EQ(found.count, 101u);
  EXPECT_EQ(found.named, 1u);
  EXPECT_EQ(found.texts.size(), RootPaths::most_texts);
  EXPECT_EQ(found.texts.front(), "0.0 2[3]");
}

}  // namespace
}  // namespace kvmscope::kvm
