// Walks of page-table trees: every entry, one path, and what damage does to them.

#include "core/kvm/walk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/kvm/level_counter.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Root L4[1] → L3[0] → L2[0] → L1[1], L1[2]; and L2[1] → a second L1; L2[2] is a 2 MiB page.
class Walk : public testing::Test {
 protected:
  Walk() : vm_(kernel_.add_vm()) {
    vm_.add_vcpu(0);
    vm_.link(root_, 1, three_);
    vm_.link(three_, 0, two_);
    vm_.link(two_, 0, one_);
    vm_.link(two_, 1, other_);
    vm_.map(two_, 2, {0x600}, {.gfn = 0x200});
    vm_.map(one_, 1, {0xaa}, {.gfn = 0x21});
    vm_.map(one_, 2, {0xbb}, {.gfn = 0x22});
    vm_.map(other_, 511, {0xcc}, {.gfn = 0x23});
  }

  TreeStart start(const FakePage& page) { return start_of(kernel_.kvm(), kernel_.page(page)); }

  // "1[0] 0x8000000000 table", one per entry; "last" of its siblings; lost ones say so.
  std::vector<std::string> entries(const TreeLimits& limits = {}) {
    return entries_below(start(root_), limits);
  }
  std::vector<std::string> entries_below(const TreeStart& from, const TreeLimits& limits = {}) {
    std::vector<std::string> lines;
    int depth = 0;
    walk_tree(kernel_.kvm(), from, limits,
              {.visit =
                   [&](const Entry& entry, bool last) {
                     lines.push_back(fmt::format("{:>{}}{}[{}] {:#x} {}{}{}", "", depth,
                                                 entry.level, entry.index, entry.address,
                                                 name(entry.kind), last ? " last" : "",
                                                 entry.lost != nullptr ? " lost" : ""));
                   },
               .enter = [&] { ++depth; },
               .leave = [&] { --depth; }});
    EXPECT_EQ(depth, 0);
    return lines;
  }

  FakeKernel kernel_;
  FakeVm& vm_;
  FakePage root_ = vm_.add_page({.level = 4, .gfn = 0x10f});
  FakePage three_ = vm_.add_page({.level = 3, .gfn = 0x116});
  FakePage two_ = vm_.add_page({.level = 2, .gfn = 0x117});
  FakePage one_ = vm_.add_page({.level = 1, .gfn = 0x118});
  FakePage other_ = vm_.add_page({.level = 1, .gfn = 0x119});
};

TEST_F(Walk, ShowsEveryNonEmptyEntryInOrder) {
  EXPECT_THAT(entries(), ElementsAre("4[1] 0x8000000000 table last",      //
                                     " 3[0] 0x8000000000 table last",     //
                                     "  2[0] 0x8000000000 table",         //
                                     "   1[1] 0x8000001000 leaf",         //
                                     "   1[2] 0x8000002000 leaf last",    //
                                     "  2[1] 0x8000200000 table",         //
                                     "   1[511] 0x80003ff000 leaf last",  //
                                     "  2[2] 0x8000400000 leaf last"));
}

TEST_F(Walk, KnowsTheEntrysPageAndItsParent) {
  std::vector<std::string> pages;
  walk_tree(kernel_.kvm(), start(root_), {.depth = 0},
            {.visit =
                 [&](const Entry& entry, bool) {
                   EXPECT_EQ(entry.parent->address, root_.address);
                   EXPECT_EQ((*entry.child)->address, three_.address);
                   EXPECT_EQ(entry.spte_address, root_.entry(1));
                   EXPECT_EQ(entry.depth, 0u);
                   pages.emplace_back("seen");
                 },
             .enter = [] {},
             .leave = [] {}});
  EXPECT_EQ(pages.size(), 1u);
}

TEST_F(Walk, StopsAtTheDepthThatWasAskedFor) {
  EXPECT_THAT(entries({.depth = 1}),
              ElementsAre("4[1] 0x8000000000 table last", " 3[0] 0x8000000000 table last"));
}

TEST_F(Walk, ShowsOneLevelAlone) {
  EXPECT_THAT(entries({.level = 2}),
              ElementsAre("2[0] 0x8000000000 table", "2[1] 0x8000200000 table",
                          "2[2] 0x8000400000 leaf last"));
  EXPECT_THAT(entries({.level = 1}), testing::SizeIs(3));
}

TEST_F(Walk, ShowsWhatMapsSomeOfARange) {
  EXPECT_THAT(entries({.first = 0x8000002fff, .last = 0x8000200000}),
              ElementsAre("4[1] 0x8000000000 table last", " 3[0] 0x8000000000 table last",
                          "  2[0] 0x8000000000 table", "   1[2] 0x8000002000 leaf last",
                          "  2[1] 0x8000200000 table last"));
  EXPECT_THAT(entries({.first = 0, .last = 0x7fffffffff}), IsEmpty());
  EXPECT_THAT(entries({.first = ~0ULL, .last = ~0ULL}), IsEmpty());
}

TEST_F(Walk, ShowsUpperAddressesAsTheGuestWritesThem) {
  vm_.link(root_, 511, three_);
  EXPECT_THAT(entries({.level = 1, .first = 0xffff800000000000}),
              ElementsAre("1[1] 0xffffff8000001000 leaf", "1[2] 0xffffff8000002000 leaf last",
                          "1[511] 0xffffff80003ff000 leaf last"));
  const FakePage direct = vm_.add_page({.level = 4, .direct = true});
  vm_.grow(direct, 511, {.level = 3, .direct = true});
  EXPECT_THAT(entries_below(start(direct)), ElementsAre("4[511] 0xff8000000000 table last"));
}

TEST_F(Walk, GivesUpAfterTooManyEntries) {
  EXPECT_ERROR(entries({.max_entries = 4}), ErrorKind::fault, "stopped after 4 entries");
  EXPECT_EQ(entries({.max_entries = 8}).size(), 8u);
}

TEST_F(Walk, RefusesATableThatIsMetAgainOnItsOwnPath) {
  kernel_.memory().poke(two_.entry(7), kernel_.table_entry(root_.hpa()));
  vm_.link(three_, 3, three_);
  EXPECT_ERROR(entries(), ErrorKind::corrupt, "again on its own path");
}

// Not on one path: two entries may share what is below them.
TEST_F(Walk, ShowsASharedTableUnderEachParent) {
  vm_.link(two_, 5, one_);
  EXPECT_EQ(entries({.level = 1}).size(), 5u);
}

TEST_F(Walk, GoesOnBesideATableThatIsMissing) {
  kernel_.memory().leave_out(one_.table);
  EXPECT_THAT(entries(),
              ElementsAre("4[1] 0x8000000000 table last", " 3[0] 0x8000000000 table last",
                          "  2[0] 0x8000000000 table lost", "  2[1] 0x8000200000 table",
                          "   1[511] 0x80003ff000 leaf last", "  2[2] 0x8000400000 leaf last"));
  EXPECT_THAT(entries({.level = 1}),
              ElementsAre("2[0] 0x8000000000 table lost", "1[511] 0x80003ff000 leaf last"));
}

TEST_F(Walk, ShowsTheTableOfAMissingShadowPage) {
  kernel_.memory().leave_out(one_.address, 64);
  const std::vector<std::string> lines = entries();
  EXPECT_EQ(lines[2], "  2[0] 0x8000000000 table lost");
  EXPECT_EQ(lines[3], "   1[1] 0x8000001000 leaf");
}

TEST_F(Walk, CannotStartAtAMissingTable) {
  kernel_.memory().leave_out(root_.table);
  EXPECT_ERROR(entries(), ErrorKind::fault, "no such memory");
}

TEST_F(Walk, CannotStartAtAPageWhoseTableIsNone) {
  kernel_.memory().set(root_.address, "kvm_mmu_page", "spt", 0x1000);
  EXPECT_ERROR(start(root_), ErrorKind::corrupt, "which is no table");
}

TEST_F(Walk, ShowsOddEntries) {
  kernel_.memory().poke(one_.entry(5), 0x5a0);
  kernel_.memory().poke(one_.entry(6), (1ULL << 51) | 0x1234001);
  kernel_.memory().poke(one_.entry(7), 0x8000000000000);
  EXPECT_THAT(entries({.level = 1, .first = 0x8000005000, .last = 0x8000007fff}),
              ElementsAre("1[5] 0x8000005000 frozen", "1[6] 0x8000006000 mmio",
                          "1[7] 0x8000007000 unknown last"));
}

// ---- one path

TEST_F(Walk, FollowsOneAddress) {
  const std::vector<PathStep> steps = walk_path(kernel_.kvm(), start(root_), 0x8000002abc);
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[0].entry.level, 4u);
  EXPECT_EQ(steps[0].entry.index, 1u);
  EXPECT_EQ(steps[0].parent->address, root_.address);
  EXPECT_EQ(steps[0].child->address, three_.address);
  EXPECT_EQ(steps[3].entry.kind, SpteKind::leaf);
  EXPECT_EQ(steps[3].entry.index, 2u);
  EXPECT_EQ(steps[3].entry.spte_address, one_.entry(2));
  EXPECT_EQ(steps[3].parent->address, one_.address);
  EXPECT_FALSE(steps[3].child);
}

TEST_F(Walk, EndsAtAHugePageAndAtAHole) {
  const std::vector<PathStep> huge = walk_path(kernel_.kvm(), start(root_), 0x80004fffff);
  EXPECT_EQ(huge.size(), 3u);
  EXPECT_EQ(huge.back().entry.kind, SpteKind::leaf);
  const std::vector<PathStep> hole = walk_path(kernel_.kvm(), start(root_), 0x1000);
  EXPECT_EQ(hole.size(), 1u);
  EXPECT_EQ(hole.back().entry.kind, SpteKind::nonpresent);
  EXPECT_EQ(hole.back().entry.index, 0u);
}

TEST_F(Walk, KeepsTheStepsBeforeAMissingTable) {
  kernel_.memory().leave_out(one_.table);
  const std::vector<PathStep> steps = walk_path(kernel_.kvm(), start(root_), 0x8000001000);
  ASSERT_EQ(steps.size(), 3u);
  ASSERT_TRUE(steps.back().lost);
  EXPECT_THAT(steps.back().lost->what(), HasSubstr("reading the level 1 entry"));
  EXPECT_EQ(steps.back().child->address, one_.address);
}

TEST_F(Walk, FollowsTablesWhoseShadowPagesAreMissing) {
  kernel_.memory().leave_out(two_.address, 64);
  const std::vector<PathStep> steps = walk_path(kernel_.kvm(), start(root_), 0x8000001000);
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_TRUE(steps[1].lost);
  EXPECT_FALSE(steps[1].child);
  EXPECT_FALSE(steps[2].lost);
  EXPECT_EQ(steps[2].child->address, one_.address);
}

TEST_F(Walk, HasNoPathFromAMissingRoot) {
  kernel_.memory().leave_out(root_.table);
  EXPECT_ERROR(walk_path(kernel_.kvm(), start(root_), 0x8000001000), ErrorKind::fault,
               "reading the level 4 entry");
}

// ---- domains and special tables

TEST_F(Walk, KnowsWhatTheAddressesAre) {
  EXPECT_EQ(start(root_).domain, Domain::gva);
  EXPECT_EQ(start(vm_.add_page({.level = 4, .direct = true})).domain, Domain::gpa);
  EXPECT_EQ(start(vm_.add_page({.level = 4, .direct = true, .guest_mode = true})).domain,
            Domain::l2_gpa);
  EXPECT_EQ(name(Domain::gva), "gva");
  EXPECT_EQ(name(Domain::gpa), "gpa");
  EXPECT_EQ(name(Domain::l2_gpa), "l2-gpa");
}

// Without paging in the guest, KVM's PAE table leads to direct pages.
TEST_F(Walk, KnowsThatAPaeTableOfAGuestWithoutPagingMapsGuestPhysicalAddresses) {
  FakeVcpu& vcpu = vm_.add_vcpu(1);
  vcpu.run_on_pae({vm_.add_page({.level = 2, .direct = true}), {}, {}, {}}, 0);
  for (const Root& root : kernel_.kvm().roots(kernel_.vcpu(0, 1))) {
    if (!root.valid) continue;
    EXPECT_EQ(start_of(root).domain, Domain::gpa) << root.name();
  }
  vcpu.run_on_pae({two_, {}, {}, {}}, 0x5000);
  EXPECT_EQ(start_of(kernel_.kvm().roots(kernel_.vcpu(0, 1))[0]).domain, Domain::gva);
}

TEST_F(Walk, OfAnAddressThatARootCannotMapIsRefused) {
  const auto path = [&](const TreeStart& from, std::uint64_t address) {
    return walk_path(kernel_.kvm(), from, address);
  };
  EXPECT_NO_THROW(path(start(root_), 0xffff'ffff'ffff'ffff));
  EXPECT_ERROR(path(start(root_), 0x8000'0000'0000), ErrorKind::usage,
               "gva 0x800000000000 is outside of what this root can map: 0x0 to 0xffffffffffff, "
               "sign-extended");
  vm_.add_vcpu(1).run_on_pae({two_, {}, {}, two_}, 0x5000);
  const std::vector<Root> roots = kernel_.kvm().roots(kernel_.vcpu(0, 1));
  EXPECT_NO_THROW(path(start_of(roots[0]), 0xffff'ffff));
  EXPECT_ERROR(path(start_of(roots[0]), 0x1'0000'0000), ErrorKind::usage, "0x0 to 0xffffffff");
  EXPECT_NO_THROW(path(start_of(roots[4]), 0xc000'1000));
  EXPECT_ERROR(path(start_of(roots[4]), 0x1000), ErrorKind::usage, "0xc0000000 to 0xffffffff");
}

TEST_F(Walk, StartsAtAPaeTable) {
  FakeVcpu& vcpu = vm_.add_vcpu(1);
  vcpu.run_on_pae({two_, {}, {}, two_}, 0x5000);
  const std::vector<Root> roots = kernel_.kvm().roots(kernel_.vcpu(0, 1));

  EXPECT_THAT(entries_below(start_of(roots[0]), {.depth = 0}),
              ElementsAre("3[0] 0x0 table", "3[3] 0xc0000000 table last"));
  EXPECT_THAT(
      entries_below(start_of(roots[4]), {.depth = 0}),
      ElementsAre("2[0] 0xc0000000 table", "2[1] 0xc0200000 table", "2[2] 0xc0400000 leaf last"));
  const std::vector<PathStep> steps = walk_path(kernel_.kvm(), start_of(roots[0]), 0xc0001000);
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].entry.index, 3u);
  EXPECT_FALSE(steps[0].parent);
  EXPECT_EQ(steps[2].entry.address, 0xc0001000u);
}

// pml4_root[0] leads to pae_root: two special tables, one below the other.
TEST_F(Walk, PassesThroughSpecialTables) {
  FakeVcpu& vcpu = vm_.add_vcpu(1);
  const VirtAddr pae = vcpu.run_on_pae({two_, {}, {}, {}}, 0x5000);
  const VirtAddr top = kernel_.memory().allocate_page();
  kernel_.memory().poke(top, FakeMemory::phys(pae).value | 0x27);
  kernel_.memory().set(vcpu.mmu(MmuKind::root_mmu), "kvm_mmu", "pml4_root", top.value);
  vcpu.run_on_table(FakeMemory::phys(top), 0x5000, 4);
  const TreeStart from = start_of(kernel_.kvm().roots(kernel_.vcpu(0, 1))[0]);

  EXPECT_THAT(entries_below(from, {.depth = 1}),
              ElementsAre("4[0] 0x0 table last", " 3[0] 0x0 table last"));
  EXPECT_EQ(walk_path(kernel_.kvm(), from, 0x1000).size(), 4u);
  LevelCounter counter(kernel_.kvm(), [](const Error&) {});
  EXPECT_EQ(counter.count(from).leaves[1], 3u);
}

TEST_F(Walk, OfADummyRootFindsNothing) {
  const VirtAddr zero = kernel_.memory().allocate_page();
  vm_.add_vcpu(1).run_on_table(FakeMemory::phys(zero), 0x7000, 4);
  const TreeStart from = start_of(kernel_.kvm().roots(kernel_.vcpu(0, 1))[0]);
  EXPECT_THAT(entries_below(from), IsEmpty());
  EXPECT_EQ(walk_path(kernel_.kvm(), from, 0x1000).size(), 1u);
}

}  // namespace
}  // namespace kvmscope::kvm
