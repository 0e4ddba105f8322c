// VMCOREINFO: its lines, and what they say about the kernel.

#include "core/kernel/vmcoreinfo.hpp"

#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"

namespace kvmscope {
namespace {

constexpr std::string_view real =
    "OSRELEASE=6.1.0-38-cloud-amd64\n"
    "BUILD-ID=0123456789abcdef\n"
    "PAGESIZE=4096\n"
    "SYMBOL(swapper_pg_dir)=ffffffffb5c10000\n"
    "NUMBER(phys_base)=-603979776\n"
    "NUMBER(pgtable_l5_enabled)=0\n"
    "NUMBER(sme_mask)=140737488355328\n"
    "KERNELOFFSET=33000000\n"
    "CRASHTIME=1700000000";

TEST(VmCoreInfo, ReadsWhatAKernelWrites) {
  const VmCoreInfo info(real);
  EXPECT_EQ(info.release(), "6.1.0-38-cloud-amd64");
  EXPECT_EQ(info.build_id(), "0123456789abcdef");
  EXPECT_EQ(info.kernel_offset(), 0x33000000u);
  EXPECT_EQ(info.sme_mask(), 1ULL << 47);
  EXPECT_EQ(info.paging_levels(), 4u);
  EXPECT_EQ(info.symbol("swapper_pg_dir"), 0xffffffffb5c10000u);
  EXPECT_EQ(info.number("phys_base"), -603979776);
  EXPECT_EQ(info.text("CRASHTIME"), "1700000000");  // the last line has no end
}

// The symbol minus __START_KERNEL_map, plus a phys_base that is negative here.
TEST(VmCoreInfo, FindsTheTopPageTable) {
  EXPECT_EQ(VmCoreInfo(real).page_table_root(), PhysAddr{0x35c10000 - 603979776});
  EXPECT_EQ(VmCoreInfo("SYMBOL(init_top_pgt)=ffffffff82000000\nNUMBER(phys_base)=16777216\n")
                .page_table_root(),
            PhysAddr{0x3000000});
}

TEST(VmCoreInfo, KnowsFiveLevels) {
  EXPECT_EQ(VmCoreInfo("NUMBER(pgtable_l5_enabled)=1\n").paging_levels(), 5u);
}

TEST(VmCoreInfo, HasNoAnswerForWhatIsNotThere) {
  const VmCoreInfo info("OSRELEASE=5.4\n");
  EXPECT_EQ(info.text("BUILD-ID"), std::nullopt);
  EXPECT_EQ(info.build_id(), "");
  EXPECT_EQ(info.symbol("kallsyms_names"), std::nullopt);
  EXPECT_EQ(info.number("phys_base"), std::nullopt);
  EXPECT_EQ(info.kernel_offset(), 0u);
  EXPECT_EQ(info.sme_mask(), 0u);
  EXPECT_EQ(info.paging_levels(), 4u);
}

TEST(VmCoreInfo, IgnoresLinesThatAreNone) {
  const VmCoreInfo info("\n\nnonsense\n=empty\nA=1\nA=2\nB=x=y\n\n");
  EXPECT_EQ(info.text("A"), "2");  // the last one counts
  EXPECT_EQ(info.text("B"), "x=y");
  EXPECT_EQ(info.text("nonsense"), std::nullopt);
  EXPECT_EQ(VmCoreInfo("").release(), "");
}

TEST(VmCoreInfo, DoesNotBelieveNumbersThatAreNone) {
  const VmCoreInfo info(
      "SYMBOL(a)=0x10\nSYMBOL(b)=\nSYMBOL(c)=12 \nNUMBER(d)=ten\nNUMBER(e)=99999999999999999999\n"
      "SYMBOL(f)=11112222333344445\n");
  for (const char* name : {"a", "b", "c", "f"}) EXPECT_EQ(info.symbol(name), std::nullopt) << name;
  for (const char* name : {"d", "e"}) EXPECT_EQ(info.number(name), std::nullopt) << name;
}

TEST(VmCoreInfo, SaysWhatTheTopPageTableNeeds) {
  EXPECT_ERROR(VmCoreInfo("NUMBER(phys_base)=0\n").page_table_root(), ErrorKind::unavailable,
               "SYMBOL(swapper_pg_dir)");
  EXPECT_ERROR(VmCoreInfo("SYMBOL(swapper_pg_dir)=ffffffff82000000\n").page_table_root(),
               ErrorKind::unavailable, "NUMBER(phys_base)");
}

}  // namespace
}  // namespace kvmscope
