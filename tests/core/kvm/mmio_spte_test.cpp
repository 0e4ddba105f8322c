// MMIO SPTEs, by the bits that each era gives them.

#include "core/kvm/mmio_spte.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

struct Case {
  Era era;
  std::uint64_t spte;
  std::uint64_t generation;
};

// A generation whose lowest and highest bits that are kept are set.
constexpr Case cases[] = {
    {Era::v4_19, 1ULL << 3 | 1ULL << 61, 1ULL << 1 | 1ULL << 19},
    {Era::v5_4, 1ULL << 3 | 1ULL << 62, 1ULL << 0 | 1ULL << 17},
    {Era::v5_10, 1ULL << 11 | 1ULL << 54, 1ULL << 8 | 1ULL << 9},
    {Era::v6_1, 1ULL << 10 | 1ULL << 52, 1ULL << 7 | 1ULL << 8},
    {Era::v6_12, 1ULL << 3 | 1ULL << 62, 1ULL << 0 | 1ULL << 18},
    {Era::v7_3, 1ULL << 9 | 1ULL << 52, 1ULL << 6 | 1ULL << 7},
};

TEST(MmioFormat, KnowsTheGenerationOfEveryEra) {
  for (const Case& one : cases) {
    FakeKernel kernel({.era = one.era});
    const MmioFormat format = read_mmio_format(kernel.kernel(), kernel.kvm().spte_format());
    EXPECT_EQ(format.generation(one.spte), one.generation) << name(one.era);
    EXPECT_EQ(format.kept(~0ULL), format.generation(~0ULL)) << name(one.era);
  }
}

TEST(MmioFormat, FindsTheFrame) {
  FakeKernel kernel;
  // As on a host with the L1TF mitigation: bits 43:39 of the address are moved up to 48:44.
  kernel.set_variable("shadow_nonpresent_or_rsvd_lower_gfn_mask", 0x7ffffff000);
  kernel.set_variable("shadow_nonpresent_or_rsvd_mask", 0xf8000000000);
  const MmioFormat format = read_mmio_format(kernel.kernel(), kernel.kvm().spte_format());
  EXPECT_EQ(format.gfn(0xfee00005), Gfn{0xfee00});
  EXPECT_EQ(format.gfn((1ULL << 44) | 0x1000), Gfn{(1ULL << 27) | 1});
}

}  // namespace
}  // namespace kvmscope::kvm
