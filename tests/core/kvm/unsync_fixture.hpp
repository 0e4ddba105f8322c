// A VM with a root to hang pages below, and batches of the replay as short words.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/kvm/unsync.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope::kvm {

class Unsync : public testing::Test {
 protected:
  Unsync() : vm_(kernel_.add_vm()) { vm_.add_vcpu(0); }

  std::vector<UnsyncBatch> replay() { return replay(root_); }
  std::vector<UnsyncBatch> replay(const FakePage& root) {
    UnsyncReplay replay(kernel_.kvm(), kernel_.page(root));
    std::vector<UnsyncBatch> batches;
    while (std::optional<UnsyncBatch> batch = replay.next()) batches.push_back(std::move(*batch));
    return batches;
  }

  // A chain of pages from level 3 down to level 2 below entry `index` of the root.
  FakePage branch(unsigned index) {
    return vm_.grow(vm_.grow(root_, index, {.level = 3}), 0, {.level = 2});
  }
  FakePage leaf(const FakePage& parent, unsigned index, std::uint64_t gfn = 0) {
    return vm_.grow(parent, index, {.level = 1, .gfn = gfn, .unsync = true});
  }

  // "4[-1] 3[1]": level and entry in the parent.
  static std::vector<std::string> pages(const UnsyncBatch& batch) {
    std::vector<std::string> words;
    for (const UnsyncPage& page : batch.pages)
      words.push_back(fmt::format("{}[{}]", page.level, page.idx));
    return words;
  }
  // "3: 2[0] 3[0] 4[1]": the place in pages, then the parents from the leaf's up.
  static std::vector<std::string> steps(const UnsyncBatch& batch) {
    std::vector<std::string> lines;
    for (const UnsyncStep& step : batch.steps) {
      std::string line = fmt::format("{}:", step.at);
      for (const UnsyncPage& parent : step.parents)
        line += fmt::format(" {}[{}]", parent.level, parent.idx);
      lines.push_back(line);
    }
    return lines;
  }

  FakeKernel kernel_;
  FakeVm& vm_;
  FakePage root_ = vm_.add_page({.level = 4, .gfn = 0x10f});
};

}  // namespace kvmscope::kvm
