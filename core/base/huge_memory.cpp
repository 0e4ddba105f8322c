#include "core/base/huge_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace kvmscope {
namespace {

constexpr std::size_t huge_page = 2 << 20;

// A huge page lies where its size divides the address.
std::align_val_t alignment_of(std::size_t bytes, std::size_t alignment) {
  return std::align_val_t{bytes < huge_page ? alignment : std::max(alignment, huge_page)};
}

}  // namespace

void* HugeMemory::do_allocate(std::size_t bytes, std::size_t alignment) {
  void* piece = ::operator new(bytes, alignment_of(bytes, alignment));
  // Where the kernel does not, it is only slower.
  if (bytes >= huge_page) madvise(piece, bytes, MADV_HUGEPAGE);
  return piece;
}

void HugeMemory::do_deallocate(void* piece, std::size_t bytes, std::size_t alignment) {
  ::operator delete(piece, alignment_of(bytes, alignment));
}

}  // namespace kvmscope
