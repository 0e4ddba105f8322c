// One kernel: where its symbols come from, its direct map, its modules, builds that do not fit.

#include "core/kernel/kernel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

TEST(Kernel, NeedsVmCoreInfo) {
  const BufferReader<PhysAddr> memory;
  const FakeDump dump(memory, std::nullopt);
  const FakeFinder finder;
  EXPECT_ERROR(Kernel(dump, finder), ErrorKind::unavailable, "-device vmcoreinfo");
}

TEST(Kernel, IsOpenedWithoutReadingItsMemory) {
  FakeKernel fake;
  const std::unique_ptr<Dump> dump = fake.dump();
  const std::uint64_t before = dump->counts().reads;
  const Kernel kernel(*dump, fake.finder());
  EXPECT_EQ(dump->counts().reads, before);
  EXPECT_EQ(kernel.vmcoreinfo().release(), "fake-v6_1");
}

TEST(Kernel, ReadsVirtualMemoryThroughItsOwnTables) {
  FakeKernel fake;
  const VirtAddr at = fake.memory().allocate(8);
  fake.memory().poke(at, 0x1234);
  EXPECT_EQ(fake.kernel().memory().u64(at), 0x1234u);
  EXPECT_ERROR(fake.kernel().memory().u64({0xffffffff81000000}), ErrorKind::fault, "not mapped");
}

TEST(Kernel, KnowsItsDirectMap) {
  FakeKernel fake;
  const Kernel& kernel = fake.kernel();
  EXPECT_EQ(kernel.direct_map({0x5000}), FakeMemory::direct_map + 0x5000);
  EXPECT_EQ(kernel.direct_phys(FakeMemory::direct_map + 0x5000), PhysAddr{0x5000});
  EXPECT_EQ(kernel.direct_phys({0xffffffff81000000}), std::nullopt);
  EXPECT_EQ(kernel.direct_phys({0x5000}), std::nullopt);
  EXPECT_EQ(kernel.direct_phys(FakeMemory::direct_map + (1ULL << 46)), std::nullopt);
  EXPECT_EQ(kernel.page_struct({3}, 64), FakeMemory::vmemmap + 192);
}

// ---- symbols

TEST(Kernel, TakesSymbolsFromASystemMap) {
  FakeKernel fake;
  EXPECT_EQ(fake.kernel().symbol_origin(), "System.map");
  EXPECT_EQ(fake.kernel().find_symbol("vmlinux", "vm_list")->address, fake.vm_list().value);
  EXPECT_EQ(fake.kernel().find_symbol("vmlinux", "nobody"), std::nullopt);
  EXPECT_ERROR(fake.kernel().symbol("nobody"), ErrorKind::usage, "no symbol 'nobody'");
}

TEST(Kernel, SaysThatItHasNoSymbols) {
  FakeKernel fake;
  fake.finder().map = nullptr;
  EXPECT_ERROR(fake.kernel().symbol("modules"), ErrorKind::unavailable,
               "no symbols for kernel fake-v6_1");
}

// Files hold link-time addresses: KASLR has moved the kernel, but not its per-cpu offsets.
TEST(Kernel, AddsTheSlideToSymbolsOfFiles) {
  FakeKernel fake;
  FakeSymbols link_time;
  link_time.add({"start_kernel", 0xffffffff81000100, 0, 'T', ""});
  link_time.add({"cpu_number", 0x1000, 0, 'D', ""});
  fake.finder().map = &link_time;
  const BufferReader<PhysAddr> memory;
  const FakeDump dump(memory, fake.vmcoreinfo() + "KERNELOFFSET=33000000\n");
  const Kernel kernel(dump, fake.finder());

  EXPECT_EQ(kernel.find_symbol("vmlinux", "start_kernel")->address, 0xffffffffb4000100u);
  EXPECT_EQ(kernel.find_symbol("vmlinux", "cpu_number")->address, 0x1000u);
}

TEST(Kernel, PrefersAVmlinuxOfItsBuild) {
  FakeKernel fake;
  FakeSymbols symbols;
  symbols.add({"modules", 0xffffffff82000000, 0, 'D', ""});
  fake.finder().files.emplace("vmlinux", FakeFinder::File{"aa", fake.types(), symbols});
  const BufferReader<PhysAddr> memory;

  const FakeDump same(memory, fake.vmcoreinfo() + "BUILD-ID=aa\n");
  EXPECT_EQ(Kernel(same, fake.finder()).symbol_origin(), "vmlinux");
  const FakeDump other(memory, fake.vmcoreinfo() + "BUILD-ID=bb\n");
  EXPECT_EQ(Kernel(other, fake.finder()).symbol_origin(), "System.map");
  const FakeDump unknown(memory, fake.vmcoreinfo());
  EXPECT_EQ(Kernel(unknown, fake.finder()).symbol_origin(), "System.map");
}

TEST(Kernel, FindsTheSymbolAtAnAddress) {
  FakeKernel fake({.module = true});
  fake.add_vm();
  EXPECT_EQ(fake.kernel().symbol_at(fake.kernel().find_symbol("modules")->address + 4)->name,
            "modules");
}

TEST(Kernel, ListsSymbolNamesOfModulesAndVmlinux) {
  FakeKernel fake({.module = true});
  EXPECT_THAT(fake.kernel().symbol_names("vm", 10), ElementsAre("vm_list", "vmemmap_base"));
  EXPECT_EQ(fake.kernel().symbol_names("", 2).size(), 2u);
}

TEST(Kernel, KnowsTheTypeOfAVariable) {
  FakeKernel fake;
  ASSERT_NE(fake.kernel().variable_type("vm_list"), nullptr);
  EXPECT_EQ(fake.kernel().variable_type("vm_list")->name, "list_head");
  EXPECT_EQ(fake.kernel().variable_type("nobody"), nullptr);
}

// ---- modules

TEST(Kernel, FindsModulesWithEitherDash) {
  FakeKernel fake({.module = true});
  ASSERT_NE(fake.kernel().module("kvm"), nullptr);
  EXPECT_EQ(fake.kernel().module("kvm-amd"), nullptr);
  EXPECT_EQ(fake.kernel().modules().size(), 1u);
  EXPECT_EQ(fake.kernel().find_symbol("vm_list")->module, "kvm");
  EXPECT_EQ(fake.kernel().find_symbol("kvm-amd", "npt_enabled"), std::nullopt);
}

TEST(Kernel, RefusesADebugFileOfAnotherBuild) {
  FakeKernel fake({.module = true, .module_build_id = "1122", .file_build_id = "3344"});
  EXPECT_ERROR(fake.kernel().modules(), ErrorKind::unavailable,
               "fake/kvm has build-id 3344, but the kvm module in the dump has 1122");
}

TEST(Kernel, RefusesADebugFileWhoseModuleLayoutFindsNoNote) {
  FakeKernel fake({.module = true, .module_build_id = "", .file_build_id = "3344"});
  EXPECT_ERROR(fake.kernel().modules(), ErrorKind::unavailable, "shows no build-id");
}

TEST(Kernel, TakesADebugFileWithoutABuildId) {
  FakeKernel fake({.module = true, .module_build_id = "1122", .file_build_id = ""});
  EXPECT_EQ(fake.kernel().modules().size(), 1u);
}

TEST(Kernel, SaysWhatToInstallWithoutDebugInfo) {
  FakeKernel fake;
  fake.finder().files.clear();
  EXPECT_ERROR(fake.kernel().modules(), ErrorKind::unavailable,
               "install linux-image-fake-v6_1-dbg");
}

// vmlinux has hundreds of MB of DWARF: what kvm.ko knows must not open it.
TEST(Kernel, DoesNotOpenVmlinuxForWhatKvmKnows) {
  FakeKernel fake({.module = true});
  fake.add_vm().add_vcpu(0);
  fake.kvm().roots(fake.vcpu());
  EXPECT_THAT(fake.finder().asked, Contains("kvm"));
  EXPECT_THAT(fake.finder().asked, Not(Contains("vmlinux")));
}

}  // namespace
}  // namespace kvmscope
