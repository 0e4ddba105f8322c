// Maps a piece of guest memory with the page size that was asked for.
#include "tests/lab/guest/memory.hpp"

#include "tests/lab/guest/report.hpp"

#include <sys/mman.h>

namespace lab {

Memory::Memory(uint64_t start, uint64_t bytes, Backing backing) : start_(start), bytes_(bytes) {
  void* mapping = mmap(nullptr, bytes + kHugePageSize, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    fail("mmap of %llu bytes of guest memory", static_cast<unsigned long long>(bytes));
  uint64_t address = reinterpret_cast<uint64_t>(mapping);
  uint64_t distance = (start - address) % kHugePageSize;
  host_ = static_cast<uint8_t*>(mapping) + distance;
  // The advice wants whole pages; guest memory always starts at one.
  if (madvise(host_, bytes, backing == Backing::huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0)
    fail("madvise");
}

uint64_t Memory::allocate_page() {
  uint64_t page = start_ + next_free_;
  next_free_ += kPageSize;
  if (next_free_ > bytes_)
    fail("guest memory of %llu bytes is used up", static_cast<unsigned long long>(bytes_));
  return page;
}

}  // namespace lab
