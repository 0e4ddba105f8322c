// Mappings of a process, in kernels built in memory.

#include "core/kernel/vmas.hpp"

#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope {
namespace {

class Vmas : public testing::Test {
 protected:
  explicit Vmas(Era era) : kernel_({.era = era}), vm_(kernel_.add_vm()) {}

  FakeMemory& memory() { return kernel_.memory(); }
  VirtAddr mm() { return {memory().get(vm_.address(), "kvm", "mm")}; }
  VirtAddr add(std::uint64_t start, std::uint64_t end) {
    const VirtAddr vma = memory().allocate("vm_area_struct");
    memory().set(vma, "vm_area_struct", "vm_start", start);
    memory().set(vma, "vm_area_struct", "vm_end", end);
    return vma;
  }
  std::optional<Vma> find(std::uint64_t address) {
    const Kernel& kernel = kernel_.kernel();
    return find_vma(kernel.layout_types(), kernel.memory(), mm(), address);
  }
  // 0: none.
  std::uint64_t at(std::uint64_t address) {
    const std::optional<Vma> found = find(address);
    return found ? found->address.value : 0;
  }

 private:
  FakeKernel kernel_;
  FakeVm& vm_;
};

// ---- since v6.1

class MapleVmas : public Vmas {
 protected:
  MapleVmas() : Vmas(Era::v6_12) {}

  enum Type : std::uint64_t { dense, leaf, range, arange };
  // Slots with the last index of each; the last one has none.
  std::uint64_t node(Type type, const std::vector<std::uint64_t>& slots,
                     const std::vector<std::uint64_t>& pivots) {
    const VirtAddr at = memory().allocate_page();
    const std::string part = type == arange ? "ma64" : "mr64";
    for (std::size_t i = 0; i < slots.size(); ++i)
      memory().set(at, "maple_node", fmt::format("{}.slot[{}]", part, i), slots[i]);
    for (std::size_t i = 0; i < pivots.size(); ++i)
      memory().set(at, "maple_node", fmt::format("{}.pivot[{}]", part, i), pivots[i]);
    return at.value | type << 3 | 0x4;
  }
  void set_root(std::uint64_t encoded) {
    memory().set(mm(), "mm_struct", "mm_mt.ma_root", encoded | 0x2);
  }
};

TEST_F(MapleVmas, AreFoundInALeaf) {
  const VirtAddr one = add(0x1000, 0x3000);
  const VirtAddr two = add(0x3000, 0x4000);
  set_root(node(leaf, {0, one.value, two.value}, {0xfff, 0x2fff, 0x3fff}));
  EXPECT_EQ(at(0xfff), 0U);
  EXPECT_EQ(at(0x1000), one.value);
  EXPECT_EQ(at(0x2fff), one.value);
  EXPECT_EQ(at(0x3000), two.value);
  EXPECT_EQ(at(0x4000), 0U);
  EXPECT_EQ(find(0x1000)->end, 0x3000U);
}

TEST_F(MapleVmas, AreFoundBelowOtherNodes) {
  const VirtAddr one = add(0, 0x1000);
  const VirtAddr two = add(0x20000, 0x30000);
  const VirtAddr last = add(0x7ffffffde000, 0x7ffffffff000);
  const std::uint64_t low = node(leaf, {one.value}, {0xfff});
  const std::uint64_t high = node(leaf, {0, two.value}, {0x1ffff, 0x2ffff});
  const std::uint64_t top = node(leaf, {0, last.value}, {0x7ffffffddfff, 0x7fffffffefff});
  set_root(node(arange, {node(range, {low, high}, {0xffff}), top}, {0xffffff}));
  EXPECT_EQ(at(0), one.value);
  EXPECT_EQ(at(0x1000), 0U);
  EXPECT_EQ(at(0x25000), two.value);
  EXPECT_EQ(at(0x30000), 0U);
  EXPECT_EQ(at(0x7ffffffde000), last.value);
}

TEST_F(MapleVmas, AreNoneInAnEmptyTree) {
  EXPECT_EQ(at(0), 0U);
  EXPECT_EQ(at(0x1000), 0U);
}

TEST_F(MapleVmas, ThatAreNotRightAreCorrupt) {
  const VirtAddr one = add(0x1000, 0x3000);
  set_root(node(leaf, {one.value}, {0xffff}));
  EXPECT_ERROR(find(0x5000), ErrorKind::corrupt, "of 0x1000 to 0x3000");
  set_root(node(dense, {}, {}));
  EXPECT_ERROR(find(0x5000), ErrorKind::corrupt, "is of type 0");
  const VirtAddr loop = memory().allocate_page();
  memory().set(loop, "maple_node", "mr64.slot[0]", loop.value | 2 << 3);
  memory().set(loop, "maple_node", "mr64.pivot[0]", ~0ULL);
  set_root(loop.value | 2 << 3);
  EXPECT_ERROR(find(0x5000), ErrorKind::corrupt, "is deeper than 31 nodes");
  set_root(0xdead000000000100 | 1 << 3);
  EXPECT_ERROR(find(0x5000), ErrorKind::fault, "looking for the mapping of 0x5000");
}

// ---- until then

class RbVmas : public Vmas {
 protected:
  RbVmas() : Vmas(Era::v5_15) {}

  std::uint64_t node(VirtAddr vma) { return memory().member(vma, "vm_area_struct", "vm_rb").value; }
};

TEST_F(RbVmas, AreFoundByAddress) {
  const VirtAddr low = add(0x1000, 0x2000);
  const VirtAddr middle = add(0x5000, 0x8000);
  const VirtAddr high = add(0x9000, 0xa000);
  memory().set(mm(), "mm_struct", "mm_rb.rb_node", node(middle));
  memory().set(middle, "vm_area_struct", "vm_rb.rb_left", node(low));
  memory().set(middle, "vm_area_struct", "vm_rb.rb_right", node(high));
  memory().set(high, "vm_area_struct", "vm_userfaultfd_ctx.ctx", 0xffff888000001000);
  EXPECT_EQ(at(0x1000), low.value);
  EXPECT_EQ(at(0x2000), 0U);
  EXPECT_EQ(at(0x7fff), middle.value);
  EXPECT_EQ(at(0x8000), 0U);
  EXPECT_EQ(at(0x9fff), high.value);
  EXPECT_TRUE(find(0x9fff)->has_userfaultfd);
  EXPECT_FALSE(find(0x1000)->has_userfaultfd);
  memory().set(low, "vm_area_struct", "vm_rb.rb_left", node(low));
  EXPECT_ERROR(find(0x10), ErrorKind::corrupt, "mm_rb is deeper than 128 nodes");
}

}  // namespace
}  // namespace kvmscope
