// Memory that holds kernel objects: a pointer to anywhere else is a fault of the data, no loss.
#pragma once

#include <vector>

#include "core/base/error.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope::kvm::audit {

// What lies in the direct map, where kmalloc() and slab caches have their objects, and in the
// areas added. A read of anything else throws Error{corrupt}.
class ObjectMemory final : public VirtReader {
 public:
  // Keeps the reference.
  explicit ObjectMemory(const Kernel& kernel) : kernel_(kernel) {}

  void add(VirtAddr start, std::uint64_t size) { areas_.push_back({start, size}); }

  bool holds(VirtAddr at) const {
    if (kernel_.direct_phys(at)) return true;
    for (const Area& area : areas_)
      if (at >= area.start && at - area.start < area.size) return true;
    return false;
  }

  void read(VirtAddr at, MutableBytes into) const override {
    check(at);
    kernel_.memory().read(at, into);
  }
  void peek(VirtAddr at, MutableBytes into) const override {
    check(at);
    kernel_.memory().peek(at, into);
  }
  void used(VirtAddr at, Bytes bytes, const UseLabel& label) const override {
    kernel_.memory().used(at, bytes, label);
  }
  bool tracks_use() const override { return kernel_.memory().tracks_use(); }

 private:
  struct Area {
    VirtAddr start;
    std::uint64_t size = 0;
  };

  void check(VirtAddr at) const {
    if (!holds(at))
      throw_error(ErrorKind::corrupt, "{:#x} is not the address of a kernel object", at.value);
  }

  const Kernel& kernel_;
  std::vector<Area> areas_;
};

}  // namespace kvmscope::kvm::audit
