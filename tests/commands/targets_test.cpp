// How users name VMs and roots, and what they are told when there is no such thing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

class Targets : public testing::Test {
 protected:
  Targets() {
    second_.add_vcpu(0);
    second_.add_vcpu(3).run_on(shared_, 0x1000);
  }

  json vms(std::string_view text) {
    return run(kernel_, fmt::format("vcpus {}", text)).column("vm");
  }
  FakeOutcome refused(std::string_view line) {
    FakeOutcome outcome = run_text(kernel_, line);
    EXPECT_EQ(outcome.status, 2) << line;
    return outcome;
  }

  FakeKernel kernel_;
  FakeVm& first_ = kernel_.add_vm({.pid = 95, .fd = 4});
  FakeVm& second_ = kernel_.add_vm({.pid = 200, .fd = 7});
  FakeVm& third_ = kernel_.add_vm({.pid = 95, .fd = 9});
  FakePage shared_ = second_.add_page({.level = 4, .gfn = 1});
};

TEST_F(Targets, TakeAVmByEachOfItsNames) {
  const json both = json::array({1, 1});
  EXPECT_EQ(vms("1"), both);
  EXPECT_EQ(vms("200-7"), both);
  EXPECT_EQ(vms("pid:200"), both);
  EXPECT_EQ(vms(hex(second_.address())), both);
  EXPECT_EQ(vms(hex(second_.address()).substr(2)), both);  // 16 bare digits
  EXPECT_EQ(vms(""), both);                                // all; the others have no vCPU
}

TEST_F(Targets, RefuseAVmThatIsNotThere) {
  EXPECT_THAT(refused("vcpus 3").notes,
              Contains(HasSubstr("no VM '3': there are 3 VMs, numbered from 0")));
  refused("vcpus 95-5");
  refused("vcpus pid:96");
  refused("vcpus pid:x");
  refused("vcpus 0x1234");
}

TEST_F(Targets, NameTheVmsOfAnAmbiguousProcess) {
  EXPECT_THAT(refused("vcpus pid:95").notes,
              Contains(HasSubstr("several VMs match 'pid:95': 0, 2")));
}

TEST_F(Targets, TakeARootByEachOfItsNames) {
  const auto root = [&](const std::string& text) {
    return run(kernel_, fmt::format("levels {}", text)).column("root_sp");
  };
  const json expected = json::array({hex(shared_.address)});
  EXPECT_EQ(root("1.3"), expected);
  EXPECT_EQ(root("200-7.3"), expected);
  EXPECT_EQ(root("1.3.root_mmu"), expected);
  EXPECT_EQ(root(hex(shared_.address)), expected);
  EXPECT_EQ(root(hex(shared_.hpa())), expected);
}

TEST_F(Targets, KnowARootByItsNameFromAnAddress) {
  EXPECT_EQ(run(kernel_, fmt::format("levels {}", hex(shared_.hpa()))).column("name"),
            json::array({"1.3"}));
  EXPECT_EQ(run(kernel_, fmt::format("levels {}", hex(shared_.address))).column("vm"),
            json::array({1}));
}

TEST_F(Targets, RefuseARootThatIsNotThere) {
  EXPECT_THAT(refused("levels 1.3.prev0").notes, Contains(HasSubstr("is empty")));
  EXPECT_THAT(refused("levels 1.9").notes, Contains(HasSubstr("no root slot")));
  EXPECT_THAT(refused("levels 1.3.prev9").notes, Contains(HasSubstr("no root slot")));
  EXPECT_THAT(refused("levels 1.3.guest_mmu").notes, Contains(HasSubstr("no root slot")));
  EXPECT_THAT(refused("levels 1.x").notes, Contains(HasSubstr("is not a ROOT")));
  EXPECT_THAT(refused("levels 9.0").notes, Contains(HasSubstr("no VM '9'")));
  EXPECT_THAT(refused("levels 0x1000").notes, Contains(HasSubstr("neither a shadow page nor")));
  EXPECT_THAT(refused("levels " + hex(second_.address())).notes,
              Contains(HasSubstr("neither a shadow page nor")));
}

// Without an mmu in its name a root is of the one that the vCPU runs on.
TEST_F(Targets, MeanTheActiveMmu) {
  FakeVcpu& vcpu = first_.add_vcpu(0);
  const FakePage outer = first_.add_page({.level = 4, .gfn = 0xa});
  const FakePage nested = first_.add_page({.level = 4, .gfn = 0xb, .guest_mode = true});
  vcpu.run_on(outer, 0xa000);
  vcpu.enter_nested_guest();
  vcpu.run_on(nested, 0xb000);
  const auto root = [&](std::string_view text) {
    return run(kernel_, fmt::format("levels {}", text)).column("root_sp")[0];
  };
  EXPECT_EQ(root("0.0"), hex(nested.address));
  EXPECT_EQ(root("0.0.guest_mmu"), hex(nested.address));
  EXPECT_EQ(root("0.0.root_mmu"), hex(outer.address));
}

TEST_F(Targets, SayWhatCouldNotBeReadOnTheWay) {
  kernel_.memory().leave_out(kernel_.memory().member(first_.address(), "kvm", "mm"), 8);
  const FakeOutcome outcome = run(kernel_, "levels 1.3");
  EXPECT_EQ(outcome.records.size(), 1u);
  EXPECT_THAT(outcome.notes, Contains(HasSubstr("VM 0 is left out")));
}

// A root's name has its vCPU's id, which nobody knows of a vCPU that cannot be read.
TEST_F(Targets, AreNotTypedWrongWhenTheyCouldBeWhatCannotBeRead) {
  const auto lost = [&](const std::string& line) {
    const FakeOutcome outcome = run_text(kernel_, line);
    EXPECT_EQ(outcome.status, 4) << line;
    return outcome.notes;
  };
  kernel_.memory().leave_out(kernel_.memory().member(third_.address(), "kvm", "mm"), 8);
  EXPECT_THAT(lost("vcpus 2"), Contains(HasSubstr("no VM '2' among what could be read")));
  EXPECT_THAT(lost("levels 1.9"), Contains(HasSubstr("no root slot '1.9' among what")));
  EXPECT_THAT(lost("levels 0x1000"), Contains(HasSubstr("hpa of a root among what")));
  EXPECT_THAT(run_text(kernel_, "levels 1.x").notes, Contains(HasSubstr("is not a ROOT")));
}

}  // namespace
}  // namespace kvmscope
