// Memory for very many objects.
#pragma once

#include <cstddef>
#include <memory_resource>

namespace kvmscope {

// Has the kernel back pieces of 2 MiB and more with huge pages where it can: to be given thousands
// of small ones, and to find them again, takes longer than much that is done with what is in them.
class HugeMemory final : public std::pmr::memory_resource {
 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* piece, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace kvmscope
