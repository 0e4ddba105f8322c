// A fake kernel that runs, and what KVM does to its pages meanwhile.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_scenario.hpp"
#include "tests/support/fake_live.hpp"

namespace kvmscope {

// FakeScenario, running.
class Live : public testing::Test {
 protected:
  FakeMemory& memory() { return scenario.kernel.memory(); }
  VirtAddr member(const FakePage& page, std::string_view path) {
    return memory().member(page.address, "kvm_mmu_page", path);
  }
  void set(const FakePage& page, std::string_view path, std::uint64_t value) {
    memory().set(page.address, "kvm_mmu_page", path, value);
  }
  std::uint64_t role(const FakePage& page) {
    return memory().get(page.address, "kvm_mmu_page", "role.word");
  }
  // What KVM does to a page that it zaps: out of the list, and the link poisoned.
  void zap(const FakePage& page) {
    memory().list_del(member(page, "link"));
    memory().poke(member(page, "link"), 0xdead000000000100);
    memory().poke(member(page, "link") + 8, 0xdead000000000122);
    set(page, "role.word", role(page) | 1U << 11);
    scenario.vm.set("arch.n_used_mmu_pages",
                    memory().get(scenario.vm.address(), "kvm", "arch.n_used_mmu_pages") - 1);
  }
  static nlohmann::json of_sp(const FakeOutcome& outcome, const FakePage& page) {
    for (const nlohmann::json& record : outcome.records)
      if (record.contains("sp") && record["sp"] == hex(page.address)) return record;
    return nullptr;
  }

  FakeScenario scenario;
  FakeLive live{scenario.kernel};
};

}  // namespace kvmscope
