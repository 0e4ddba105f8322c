// SPTEs in each format that KVM has had: what is present, what kind it is, what it allows.

#include "core/kvm/spte.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

constexpr std::uint64_t bit(unsigned number) {
  return 1ULL << number;
}

struct Case {
  Era era;
  bool ept;
};

void PrintTo(const Case& tested, std::ostream* out) {
  *out << name(tested.era) << (tested.ept ? " EPT" : " legacy");
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Era era : all_eras)
    for (const bool ept : {false, true}) cases.push_back({era, ept});
  return cases;
}

// Every era, in both formats: what a builder of entries wrote is read back.
class SpteOfEra : public testing::TestWithParam<Case> {
 protected:
  SpteOfEra() : kernel_({.era = GetParam().era, .ept = GetParam().ept}) {
    FakeVm& vm = kernel_.add_vm();
    vm.add_vcpu(0);
  }
  const SpteFormat& format() { return kernel_.kvm().spte_format(); }
  std::vector<std::string> flags(const FakeLeaf& leaf, unsigned level = 1) {
    return format().flags(kernel_.leaf_entry({0x1234}, level, leaf), level);
  }

  FakeKernel kernel_;
};

TEST_P(SpteOfEra, IsEmptyWhereNothingWasMapped) {
  EXPECT_EQ(format().ept(), GetParam().ept);
  EXPECT_EQ(format().kind(kernel_.empty_entry(), 4), SpteKind::nonpresent);
  EXPECT_EQ(format().kind(0, 1), SpteKind::nonpresent);
  EXPECT_FALSE(format().is_present(kernel_.empty_entry()));
}

TEST_P(SpteOfEra, IsATableOrALeaf) {
  const std::uint64_t table = kernel_.table_entry({0x4567000});
  EXPECT_EQ(format().kind(table, 4), SpteKind::table);
  EXPECT_EQ(format().target(table), PhysAddr{0x4567000});
  const std::uint64_t leaf = kernel_.leaf_entry({0x89abc}, 1, {});
  EXPECT_EQ(format().kind(leaf, 1), SpteKind::leaf);
  EXPECT_EQ(format().target(leaf), PhysAddr{0x89abc000});
  EXPECT_EQ(format().kind(kernel_.leaf_entry({0x200}, 2, {}), 2), SpteKind::leaf);
}

TEST_P(SpteOfEra, TellsWhatALeafAllows) {
  EXPECT_THAT(flags({.dirty = true}), ElementsAre("r", "w", "x", "u", "accessed", "dirty",
                                                  "host_writable", "mmu_writable"));
  EXPECT_THAT(
      flags({.writable = false, .executable = false, .accessed = false, .mmu_writable = false}),
      ElementsAre("r", "u", "host_writable"));
  EXPECT_THAT(flags({}, 2), Contains("huge"));
  if (!GetParam().ept) {
    EXPECT_THAT(flags({.user = false}), Not(Contains("u")));
  }
}

TEST_P(SpteOfEra, SaysWhenAccessedAndDirtyAreOff) {
  // 4.19 has a bit of its own, 7.3 has moved the two type bits.
  const std::uint64_t off = GetParam().era == Era::v4_19  ? bit(62)
                            : GetParam().era == Era::v7_3 ? bit(60)
                                                          : bit(52);
  const std::uint64_t leaf = kernel_.leaf_entry({0x1234}, 1, {});
  EXPECT_TRUE(format().ad_enabled(leaf));
  EXPECT_FALSE(format().ad_enabled(leaf | off));
  EXPECT_THAT(format().flags(leaf | off, 1), Contains("ad_disabled"));
}

INSTANTIATE_TEST_SUITE_P(Eras, SpteOfEra, testing::ValuesIn(all_cases()), [](const auto& tested) {
  return std::string(name(tested.param.era)) + (tested.param.ept ? "_ept" : "_legacy");
});

SpteFormat format_of(const FakeKernelOptions& options) {
  FakeKernel kernel(options);
  kernel.add_vm().add_vcpu(0);
  return kernel.kvm().spte_format();
}

// The values that KVM.md has for the hardware's and the kernel's own bits.
TEST(Spte, DecodesARealEptLeafOf6_1) {
  const SpteFormat format = format_of({.ept = true});
  const std::uint64_t spte = 0x600000123456b77;  // RWX, write-back, A D, bit 11, host and MMU W
  EXPECT_EQ(format.kind(spte, 1), SpteKind::leaf);
  EXPECT_EQ(format.target(spte), PhysAddr{0x123456000});
  EXPECT_THAT(format.flags(spte, 1), ElementsAre("r", "w", "x", "u", "accessed", "dirty",
                                                 "host_writable", "mmu_writable"));
}

TEST(Spte, DecodesRealShadowEntriesOf6_1) {
  const SpteFormat format = format_of({});
  EXPECT_EQ(format.kind(0x478c827, 4), SpteKind::table);
  EXPECT_THAT(format.flags(0x478c827, 4), ElementsAre("r", "w", "x", "u", "accessed"));
  EXPECT_EQ(format.kind(0xaa1aa25, 1), SpteKind::leaf);
  EXPECT_THAT(format.flags(0xaa1aa25, 1), ElementsAre("r", "x", "u", "accessed", "host_writable"));
}

// Without the software bit an entry is present by its value.
TEST(Spte, IsPresentByValueBefore5_13) {
  const SpteFormat format = format_of({.era = Era::v5_10});
  EXPECT_EQ(format.mmu_present, 0u);
  EXPECT_TRUE(format.is_present(0x1000));
  EXPECT_FALSE(format.is_present(0));
  EXPECT_EQ(format.kind(3ULL << 52 | 0x1234007, 1), SpteKind::mmio);
  EXPECT_EQ(format.kind(1ULL << 52 | 0x1234007, 1), SpteKind::leaf);  // A/D off
}

TEST(Spte, NeedsTheSoftwareBitSince5_13) {
  const SpteFormat format = format_of({.ept = true});
  EXPECT_EQ(format.kind(0x1234007, 1), SpteKind::unknown);
  // Access-tracked: no R, W or X, and present all the same.
  EXPECT_EQ(format.kind(bit(52) | bit(54) | bit(11) | 0x1234000, 1), SpteKind::leaf);
}

TEST(Spte, KnowsWhatIsTrackedForAccess) {
  const SpteFormat format = format_of({.ept = true});
  const std::uint64_t tracked = bit(52) | bit(54) | bit(11) | 0x1234000;
  EXPECT_TRUE(format.access_tracked(tracked));
  EXPECT_FALSE(format.access_tracked(tracked | 1));         // readable
  EXPECT_FALSE(format.access_tracked(tracked & ~bit(52)));  // A/D bits in use
  EXPECT_THAT(format.flags(tracked, 1), ElementsAre("ad_disabled", "access_tracked"));
  EXPECT_FALSE(format_of({}).access_tracked(bit(52) | bit(11)));  // legacy has no such thing
}

TEST(Spte, IsFrozenWhileAnotherCpuFreesItsTable) {
  EXPECT_EQ(format_of({}).kind(0x5a0, 1), SpteKind::frozen);
  EXPECT_EQ(format_of({.era = Era::v6_12}).kind(0x80000000000005a0, 2), SpteKind::frozen);
  EXPECT_EQ(format_of({.era = Era::v7_3}).kind(0x80000000000001a0, 2), SpteKind::frozen);
}

TEST(Spte, IsNotZeroWhenEmptySince6_10) {
  const SpteFormat format = format_of({.era = Era::v6_12, .ept = true});
  EXPECT_EQ(format.empty, bit(63));
  EXPECT_TRUE(format.is_empty(bit(63)));
  EXPECT_TRUE(format.is_empty(0));
}

// What an empty entry holds is asked of a vCPU: without one it is taken as 0.
TEST(Spte, HasAnEmptyValueWithoutAnyVcpu) {
  FakeKernel kernel({.era = Era::v6_12});
  kernel.add_vm();
  EXPECT_EQ(kernel.kvm().spte_format().empty, 0u);
}

TEST(Spte, FindsTheEmptyValueInAnotherVmWhenOneIsMissing) {
  FakeKernel kernel({.era = Era::v6_12});
  kernel.add_vm().add_vcpu(0);
  FakeVm& lost = kernel.add_vm();  // newest, so it is asked first
  lost.add_vcpu(0);
  kernel.memory().leave_out(kernel.memory().member(lost.address(), "kvm", "mm"), 8);
  EXPECT_EQ(kernel.kvm().spte_format().empty, bit(63));
}

TEST(Spte, IsMmioByMaskAndValue) {
  const SpteFormat legacy = format_of({});
  EXPECT_EQ(legacy.kind(bit(51) | 0x1234001, 1), SpteKind::mmio);
  const SpteFormat ept = format_of({.era = Era::v6_12, .ept = true});
  EXPECT_EQ(ept.kind(0xfee00006, 1), SpteKind::mmio);
  EXPECT_EQ(ept.kind(bit(63) | 0xfee00006, 1), SpteKind::unknown);
}

TEST(Spte, IsNeverMmioWhileCachingIsOff) {
  for (const bool module : {false, true}) {
    FakeKernel kernel({.module = module});
    kernel.add_vm();
    kernel.set_flag("enable_mmio_caching", false);  // a bool, with other data behind it
    EXPECT_EQ(kernel.kvm().spte_format().kind(bit(51) | 0x1234001, 1), SpteKind::unknown);
  }
}

TEST(Spte, StripsTheEncryptionBit) {
  FakeKernel kernel;
  kernel.add_vm();
  kernel.set_variable("physical_mask", low_bits(47));  // built in: among vmlinux's symbols
  EXPECT_EQ(kernel.kvm().spte_format().target(bit(47) | 0x1234827), PhysAddr{0x1234000});
}

TEST(Spte, SaysWhichMaskIsMissing) {
  FakeKernel kernel;
  kernel.add_vm();
  kernel.remove_variable("shadow_accessed_mask");
  EXPECT_ERROR(kernel.kvm().spte_format(), ErrorKind::corrupt, "shadow_accessed_mask");
}

TEST(Spte, SaysThatAMaskIsNotInTheDump) {
  FakeKernel kernel;
  kernel.add_vm();
  kernel.memory().leave_out(kernel.variable("shadow_user_mask"), 8);
  EXPECT_ERROR(kernel.kvm().spte_format(), ErrorKind::fault, "reading kvm's SPTE masks");
}

TEST(SpteKind, HasAWordForEach) {
  EXPECT_EQ(name(SpteKind::nonpresent), "nonpresent");
  EXPECT_EQ(name(SpteKind::table), "table");
  EXPECT_EQ(name(SpteKind::leaf), "leaf");
  EXPECT_EQ(name(SpteKind::mmio), "mmio");
  EXPECT_EQ(name(SpteKind::frozen), "frozen");
  EXPECT_EQ(name(SpteKind::unknown), "unknown");
}

}  // namespace
}  // namespace kvmscope::kvm
