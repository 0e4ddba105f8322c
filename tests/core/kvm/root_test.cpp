// Names of roots: how they are printed, and what users may write.

#include "core/kvm/root.hpp"

#include <gtest/gtest.h>

namespace kvmscope::kvm {
namespace {

Root root(bool active, MmuKind mmu, std::optional<unsigned> prev, std::optional<unsigned> pae) {
  Root made;
  made.vm = 2;
  made.vcpu = 7;
  made.mmu = mmu;
  made.is_active_mmu = active;
  made.prev = prev;
  made.pae = pae;
  return made;
}

TEST(RootName, HasNoMmuWhereTheVcpuRuns) {
  EXPECT_EQ(root(true, MmuKind::root_mmu, {}, {}).name(), "2.7");
  EXPECT_EQ(root(true, MmuKind::guest_mmu, {}, {}).name(), "2.7");
  EXPECT_EQ(root(true, MmuKind::root_mmu, 1, {}).name(), "2.7.prev1");
  EXPECT_EQ(root(true, MmuKind::root_mmu, {}, 3).name(), "2.7.pae3");
}

TEST(RootName, NamesTheMmuThatIsNotActive) {
  EXPECT_EQ(root(false, MmuKind::root_mmu, {}, {}).name(), "2.7.root_mmu");
  EXPECT_EQ(root(false, MmuKind::guest_mmu, 2, {}).name(), "2.7.guest_mmu.prev2");
}

TEST(RootSlot, IsTheSameForBothMmus) {
  EXPECT_EQ(root(true, MmuKind::root_mmu, {}, {}).slot(), "current");
  EXPECT_EQ(root(false, MmuKind::guest_mmu, 0, {}).slot(), "prev0");
  EXPECT_EQ(root(true, MmuKind::root_mmu, {}, 2).slot(), "current.pae2");
}

TEST(ParseRootName, TakesEachForm) {
  const std::optional<RootName> plain = parse_root_name("3.0");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->vm, "3");
  EXPECT_EQ(plain->vcpu, 0u);
  EXPECT_FALSE(plain->mmu || plain->prev || plain->pae);

  const std::optional<RootName> full = parse_root_name("95-4.255.guest_mmu.prev2.pae3");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->vm, "95-4");
  EXPECT_EQ(full->vcpu, 255u);
  EXPECT_EQ(full->mmu, MmuKind::guest_mmu);
  EXPECT_EQ(full->prev, 2u);
  EXPECT_EQ(full->pae, 3u);

  EXPECT_EQ(parse_root_name("0.1.root_mmu")->mmu, MmuKind::root_mmu);
  EXPECT_EQ(parse_root_name("pid:95.0.prev0")->vm, "pid:95");
}

TEST(ParseRootName, ReadsWhatAnyRootIsCalled) {
  for (const MmuKind mmu : {MmuKind::root_mmu, MmuKind::guest_mmu})
    for (const std::optional<unsigned> prev : {std::optional<unsigned>{}, {0U}, {2U}})
      for (const std::optional<unsigned> pae : {std::optional<unsigned>{}, {3U}}) {
        const std::optional<RootName> name = parse_root_name(root(false, mmu, prev, pae).name());
        ASSERT_TRUE(name);
        EXPECT_EQ(name->vcpu, 7u);
        EXPECT_EQ(name->mmu, mmu);
        EXPECT_EQ(name->prev, prev);
        EXPECT_EQ(name->pae, pae);
      }
}

TEST(ParseRootName, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "0",
                           ".",
                           "0.",
                           ".0",
                           "0.x",
                           "0.-1",
                           "0.0.",
                           "0.0..prev0",
                           "0.0.prev",
                           "0.0.prev-1",
                           "0.0.prev64",
                           "0.0.prev0x1",
                           "0.0.prev0.prev1",
                           "0.0.pae",
                           "0.0.pae1.pae2",
                           "0.0.prev1.root_mmu",
                           "0.0.root_mmu.guest_mmu",
                           "0.0.nested_mmu",
                           "0.0.pae1.prev0",
                           "0.0 ",
                           "0.99999999999999999999999"})
    EXPECT_FALSE(parse_root_name(text)) << "'" << text << "'";
}

}  // namespace
}  // namespace kvmscope::kvm
