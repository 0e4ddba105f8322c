// Containers in made-up memory, and what a walk of one comes to.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/memory/buffer.hpp"
#include "core/object/containers.hpp"

namespace kvmscope {

inline constexpr VirtAddr head{0xffff888000001000};
constexpr VirtAddr node(std::uint64_t i) {
  return {0xffff888000010000 + i * 0x1000};
}

struct Walk {
  std::vector<VirtAddr> nodes = {};
  std::string error = {};
  ErrorKind kind = ErrorKind::internal;
};

using Walker = void (*)(const VirtReader&, VirtAddr, const NodeVisitor&, std::uint64_t);

class Containers : public testing::Test {
 protected:
  Walk walk(Walker walker, std::uint64_t limit = default_walk_limit) {
    Walk result;
    try {
      walker(
          memory, head, [&](VirtAddr at) { result.nodes.push_back(at); }, limit);
    } catch (const Error& error) {
      result.error = error.what();
      result.kind = error.kind();
    }
    return result;
  }

  void expect_corrupt(const Walk& walk, std::string_view words) {
    EXPECT_THAT(walk.error, testing::HasSubstr(words));
    EXPECT_EQ(walk.kind, ErrorKind::corrupt);
  }

  void link(VirtAddr from, VirtAddr to) {
    memory.set_u64(from, to.value);
    memory.set_u64(to + 8, from.value);
  }
  // head, node(1)…node(count), head
  void make_list(std::uint64_t count) {
    VirtAddr last = head;
    for (std::uint64_t i = 1; i <= count; ++i) {
      link(last, node(i));
      last = node(i);
    }
    link(last, head);
  }
  void make_hlist(std::uint64_t count) {
    VirtAddr last = head;
    for (std::uint64_t i = 1; i <= count; ++i) {
      link(last, node(i));
      last = node(i);
    }
    memory.set_u64(last, 0);
  }
  void set_rb(VirtAddr at, VirtAddr parent, VirtAddr left, VirtAddr right) {
    memory.set_u64(at, parent.value | 1);
    memory.set_u64(at + 8, right.value);
    memory.set_u64(at + 16, left.value);
  }
  //      2
  //    1   4
  //       3 5
  void make_tree() {
    memory.set_u64(head, node(2).value);
    set_rb(node(2), {}, node(1), node(4));
    set_rb(node(1), node(2), {}, {});
    set_rb(node(4), node(2), node(3), node(5));
    set_rb(node(3), node(4), {}, {});
    set_rb(node(5), node(4), {}, {});
  }

  BufferReader<VirtAddr> memory;
};

// Answers every read so that the walk sees nodes 1, 2, 3, 1, 2, 3…, each linking back to the one
// before: what a kernel that changes under the walk may look like.
class TreadmillReader final : public VirtReader {
 public:
  void read(VirtAddr at, MutableBytes into) const override {
    const std::uint64_t step = reads_++;
    std::uint64_t links[2] = {node(step % 3).value, before_};
    before_ = at.value;
    std::memcpy(into.data(), links, std::min(into.size(), sizeof links));
  }

 private:
  mutable std::uint64_t reads_ = 0;
  mutable std::uint64_t before_ = 0;
};

}  // namespace kvmscope
