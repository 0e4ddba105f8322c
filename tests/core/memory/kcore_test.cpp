// /proc/kcore: a made-up file with its headers, and the words for what it does not show.

#include "core/memory/kcore.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/dump_files.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t direct_map = 0xffff888000000000;
constexpr std::uint64_t vmalloc = 0xffffc90000000000;
constexpr std::uint64_t text = 0xffffffff81000000;
constexpr std::uint64_t nowhere = ~0ULL;  // p_paddr of what is not RAM

class Kcore : public testing::Test {
 protected:
  Kcore() { write(); }

  void write() { tree_.write("proc/kcore", Bytes(file_.build())); }

  TemporaryTree tree_;
  // RAM at 1 MiB and, apart, at 16 MiB; a stretch of vmalloc; the kernel's text, which is at 2 MiB.
  ElfFile file_ = {
      .vmcoreinfo = "OSRELEASE=6.1.0\n",
      .segments = {{0x100000, filled(std::byte{0xaa}, 0x2000), 0, direct_map + 0x100000},
                   {nowhere, filled(std::byte{0xbb}, 0x1000), 0, vmalloc},
                   {0x200000, filled(std::byte{0xcc}, 0x1000), 0, text},
                   {0x1000000, filled(std::byte{0xdd}, 0x1000), 0, direct_map + 0x1000000}}};
};

TEST_F(Kcore, ReadsKernelAddressesWithOneReadEach) {
  const auto target = open_live(tree_.path());
  const VirtReader& memory = *target->kernel_memory();
  EXPECT_EQ(target->counts().reads, 0u) << "headers are no memory";
  EXPECT_EQ(memory.u64({direct_map + 0x100ff8}), 0xaaaaaaaaaaaaaaaa);
  EXPECT_EQ(memory.u64({vmalloc + 8}), 0xbbbbbbbbbbbbbbbb);
  EXPECT_EQ(memory.u64({text}), 0xcccccccccccccccc);
  EXPECT_EQ(target->counts().reads, 3u);
  EXPECT_EQ(target->counts().bytes, 24u);
}

TEST_F(Kcore, ReadsPhysicalMemoryThroughTheDirectMap) {
  const auto target = open_live(tree_.path());
  EXPECT_EQ(target->memory().u64({0x1000000}), 0xdddddddddddddddd);
  EXPECT_EQ(target->direct_map().start, VirtAddr{direct_map});
  EXPECT_EQ(target->direct_map().size, vmalloc - direct_map) << "it ends where vmalloc starts";
  ASSERT_EQ(target->ranges().size(), 2u) << "the kernel's text is no range of its own";
  EXPECT_EQ(target->ranges()[0].start, PhysAddr{0x100000});
  EXPECT_EQ(target->ranges()[1].end, PhysAddr{0x1001000});
}

TEST_F(Kcore, IsAKernelThatRuns) {
  const auto target = open_live(tree_.path());
  EXPECT_TRUE(target->is_live());
  EXPECT_EQ(target->system_root(), tree_.path());
  EXPECT_EQ(target->vmcoreinfo(), "OSRELEASE=6.1.0\n");
  EXPECT_THAT(target->notes().front(), HasSubstr("holes as zeros"));
}

TEST_F(Kcore, SaysThatMemoryWasAddedSinceStart) {
  const auto target = open_live(tree_.path());
  EXPECT_ERROR(target->kernel_memory()->u64({direct_map + 0x5000000}), ErrorKind::fault,
               "added since start (run kvmscope again)");
  EXPECT_ERROR(target->memory().u64({0x5000000}), ErrorKind::fault, "added since start");
  EXPECT_ERROR(target->kernel_memory()->u64({direct_map + 0x101ffc}), ErrorKind::fault,
               "0xffff888000102000");
}

TEST_F(Kcore, HasOtherWordsForWhatCannotBeMemoryThatWasAdded) {
  const auto target = open_live(tree_.path());
  EXPECT_ERROR(target->kernel_memory()->u64({0xffffd00000000000}), ErrorKind::fault,
               "in no region that /proc/kcore shows");
  EXPECT_ERROR(target->kernel_memory()->u64({0x7f0000001000}), ErrorKind::fault,
               "no address of the kernel");
  EXPECT_ERROR(target->memory().u64({1ULL << 50}), ErrorKind::fault, "the direct map ends");
}

TEST_F(Kcore, SaysWhatTheKernelSaysWhenAReadFails) {
  FileBytes bytes = file_.build();
  bytes.resize(bytes.size() - 0x1000);
  tree_.write("proc/kcore", Bytes(bytes));
  const auto target = open_live(tree_.path());
  EXPECT_ERROR(target->kernel_memory()->u64({direct_map + 0x1000000}), ErrorKind::fault,
               "/proc/kcore ends before it");
}

TEST_F(Kcore, NeedsHeadersThatMakeSense) {
  tree_.write("proc/kcore", std::string_view("no ELF"));
  EXPECT_ERROR(open_live(tree_.path()), ErrorKind::unavailable, "truncated inside its ELF header");
  file_.segments = {{nowhere, filled(std::byte{0xbb}, 0x1000), 0, vmalloc}};
  write();
  EXPECT_ERROR(open_live(tree_.path()), ErrorKind::unavailable, "no RAM with physical addresses");
}

TEST_F(Kcore, WithoutANoteHasNoVmcoreinfo) {
  file_.vmcoreinfo.reset();
  write();
  EXPECT_EQ(open_live(tree_.path())->vmcoreinfo(), std::nullopt);
}

TEST(KcoreAdvice, SaysWhatIsMissing) {
  const TemporaryTree tree;
  EXPECT_ERROR(open_live(tree.path()), ErrorKind::unavailable, "CONFIG_PROC_KCORE");
  EXPECT_THAT(kcore_advice(EACCES, tree.path()), HasSubstr("CAP_SYS_RAWIO"));
  EXPECT_THAT(kcore_advice(EPERM, tree.path()), HasSubstr("use sudo"));
  EXPECT_THAT(kcore_advice(EIO, tree.path()), HasSubstr("-c FILE"));
}

TEST(KcoreAdvice, NamesTheLockdownThatForbidsIt) {
  const TemporaryTree tree;
  tree.write("sys/kernel/security/lockdown",
             std::string_view("none integrity [confidentiality]\n"));
  EXPECT_THAT(kcore_advice(EPERM, tree.path()), HasSubstr("lockdown: confidentiality"));
  // Integrity allows reading.
  tree.write("sys/kernel/security/lockdown",
             std::string_view("none [integrity] confidentiality\n"));
  EXPECT_THAT(kcore_advice(EPERM, tree.path()), HasSubstr("use sudo"));
}

}  // namespace
}  // namespace kvmscope
