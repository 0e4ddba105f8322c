#include "core/kvm/page_hash.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/memory/buffer.hpp"
#include "core/object/containers.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {
namespace {

using testing::ElementsAre;

constexpr VirtAddr head{0xffff888000001000};
constexpr VirtAddr one{0xffff888000002000};
constexpr VirtAddr two{0xffff888000003000};

// A bucket with two pages; the links of the first are known, and not in memory.
class HashMemoryTest : public testing::Test {
 protected:
  HashMemoryTest() {
    memory_.set_u64(head, node(one).value);
    known_[one.value] = {node(two).value, head.value};
    memory_.set(node(two), HashLinks{0, node(one).value});
  }

  VirtAddr node(VirtAddr page) { return page + fields().hash_link.offset; }
  const PageFields& fields() { return kernel_.kvm().layout().page(); }

  std::vector<VirtAddr> walk() {
    const HashMemory hash(memory_, fields(), [&](VirtAddr page) -> const HashLinks* {
      const auto found = known_.find(page.value);
      return found != known_.end() ? &found->second : nullptr;
    });
    std::vector<VirtAddr> nodes;
    walk_hlist(hash, head, [&](VirtAddr at) { nodes.push_back(at); });
    return nodes;
  }

  FakeKernel kernel_;
  BufferReader<VirtAddr> memory_;
  std::map<std::uint64_t, HashLinks> known_;
};

TEST_F(HashMemoryTest, KnowsLinksThatWereReadAndReadsTheOthers) {
  EXPECT_THAT(walk(), ElementsAre(node(one), node(two)));
}

TEST_F(HashMemoryTest, LetsTheWalkCheckTheLinksThatAreKnown) {
  known_[one.value].pprev = 0x1000;
  EXPECT_THROW(walk(), Error);
}

TEST_F(HashMemoryTest, FaultsWhereNeitherHasThem) {
  known_.clear();
  EXPECT_THROW(walk(), Error);
}

TEST(PageHeader, HoldsTheLinksOfThePageHash) {
  FakeKernel kernel;
  FakeVm& fake = kernel.add_vm();
  fake.add_page({.level = 1});
  const Kvm& kvm = kernel.kvm();
  std::uint64_t pages = 0;
  kvm.each_active_page(kernel.vm(), [&](VirtAddr address) {
    const ShadowPage page = kvm.shadow_page(address);
    const VirtAddr node = address + kvm.layout().page().hash_link.offset;
    EXPECT_EQ(page.hash_link.next, kvm.memory().u64(node));
    EXPECT_EQ(page.hash_link.pprev, kvm.memory().u64(node + 8));
    EXPECT_NE(page.hash_link.pprev, 0u);
    ++pages;
  });
  EXPECT_EQ(pages, 1u);
}

}  // namespace
}  // namespace kvmscope::kvm
