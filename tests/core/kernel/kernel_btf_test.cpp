// The kernel's own BTF: where it is in memory and in /sys, and what a damaged one comes to.

#include "core/kernel/kernel_btf.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/btf_maker.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {
namespace {

constexpr VirtAddr base{0xffffffff80000000};
constexpr std::uint64_t memory_size = 0x10000;
constexpr VirtAddr vmlinux_at = base;
constexpr VirtAddr head = base + 0x8000;
constexpr VirtAddr node = base + 0x8100;    // struct btf_module: list, btf at 16
constexpr VirtAddr object = base + 0x8200;  // struct btf: data, data_size at 8, name at 16
constexpr VirtAddr kvm_at = base + 0x9000;

class Memory : public VirtReader {
 public:
  void read(VirtAddr at, MutableBytes into) const override {
    if (at < base || at - base + into.size() > bytes_.size())
      throw_error(ErrorKind::fault, "no memory at {:#x}", at.value);
    std::memcpy(into.data(), bytes_.data() + (at - base), into.size());
  }
  void put(VirtAddr at, Bytes bytes) {
    std::memcpy(bytes_.data() + (at - base), bytes.data(), bytes.size());
  }
  void put(VirtAddr at, std::uint64_t value) { put(at, std::as_bytes(std::span(&value, 1))); }

 private:
  std::vector<std::byte> bytes_ = std::vector<std::byte>(memory_size);
};

class KernelBtfTest : public testing::Test {
 protected:
  KernelBtfTest() {
    btf__add_struct(kvm_.get(), "kvm", 16);
    btf__add_field(kvm_.get(), "vm_list", 2, 0, 0);
    memory_.put(vmlinux_at, vmlinux_.bytes());
    memory_.put(kvm_at, kvm_.bytes());
    for (const VirtAddr at : {head, head + 8}) memory_.put(at, node.value);
    for (const VirtAddr at : {node, node + 8}) memory_.put(at, head.value);
    memory_.put(node + 16, object.value);
    memory_.put(object, kvm_at.value);
    memory_.put(object + 8, kvm_.bytes().size());
    memory_.put(object + 16, std::as_bytes(std::span("kvm")));
  }

  static void add_vmlinux(btf* b) {
    btf__add_int(b, "long unsigned int", 8, 0);
    btf__add_struct(b, "list_head", 16);
    btf__add_field(b, "next", 1, 0, 0);
    btf__add_field(b, "prev", 1, 64, 0);
    btf__add_struct(b, "btf_module", 24);
    btf__add_field(b, "list", 2, 0, 0);
    btf__add_field(b, "btf", 1, 128, 0);
    btf__add_int(b, "char", 1, BTF_INT_SIGNED);
    btf__add_array(b, 1, 4, 8);
    btf__add_struct(b, "btf", 24);
    btf__add_field(b, "data", 1, 0, 0);
    btf__add_field(b, "data_size", 1, 64, 0);
    btf__add_field(b, "name", 5, 128, 0);
  }

  std::shared_ptr<KernelBtf> found() {
    return KernelBtf::in_memory(memory_, [this](std::string_view name) -> std::optional<VirtAddr> {
      const auto known = symbols_.find(name);
      return known != symbols_.end() ? std::optional(known->second) : std::nullopt;
    });
  }

  // kvm's starts behind what vmlinux's has when it is made.
  struct Vmlinux : BtfMaker {
    Vmlinux() { add_vmlinux(get()); }
  };
  Vmlinux vmlinux_;
  BtfMaker kvm_{&vmlinux_};
  Memory memory_;
  std::map<std::string, VirtAddr, std::less<>> symbols_ = {
      {"__start_BTF", vmlinux_at},
      {"__stop_BTF", vmlinux_at + vmlinux_.bytes().size()},
      {"btf_modules", head}};
};

void expect_both(const KernelBtf* all) {
  ASSERT_NE(all, nullptr);
  ASSERT_NE(all->types("kvm"), nullptr);
  EXPECT_NE(all->types("kvm")->find(TypeKind::structure, "kvm"), nullptr);
  EXPECT_NE(all->types("vmlinux")->find(TypeKind::structure, "list_head"), nullptr);
  EXPECT_EQ(all->types("kvm-amd"), nullptr);
}

TEST_F(KernelBtfTest, IsFoundInMemory) {
  expect_both(found().get());
}

TEST_F(KernelBtfTest, IsFoundInAFolder) {
  const TemporaryTree folder;
  EXPECT_EQ(KernelBtf::in_folder(folder.path(), nullptr), nullptr);
  folder.write("vmlinux", vmlinux_.bytes());
  folder.write("kvm", kvm_.bytes());
  folder.write("kvm_amd", kvm_.bytes());
  const auto all = KernelBtf::in_folder(folder.path(), nullptr);
  ASSERT_NE(all, nullptr);
  EXPECT_NE(all->types("kvm-amd"), nullptr);
  EXPECT_EQ(all->types("kvm-intel"), nullptr);
}

TEST_F(KernelBtfTest, AKernelWithoutHasNone) {
  symbols_.erase("__stop_BTF");
  EXPECT_EQ(found(), nullptr);
}

TEST_F(KernelBtfTest, OfVmlinuxAloneIsEnoughWhereModulesHaveNone) {
  symbols_.erase("btf_modules");
  const auto all = found();
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(all->types("kvm"), nullptr);
}

TEST_F(KernelBtfTest, DamageIsAnError) {
  memory_.put(object + 8, std::uint64_t{1} << 40);
  EXPECT_ERROR(found(), ErrorKind::corrupt, "claims");
  memory_.put(object + 8, kvm_.bytes().size() - 4);
  EXPECT_ERROR(found(), ErrorKind::corrupt, "the BTF of kvm");
  memory_.put(object, base.value + memory_size);
  EXPECT_ERROR(found(), ErrorKind::fault, "no memory");
  memory_.put(object, kvm_at.value);
  memory_.put(object + 8, kvm_.bytes().size());
  memory_.put(node, node.value);
  EXPECT_ERROR(found(), ErrorKind::corrupt, "");
  memory_.put(vmlinux_at, 0);
  EXPECT_ERROR(found(), ErrorKind::corrupt, "the BTF of vmlinux is no BTF");
}

}  // namespace
}  // namespace kvmscope
