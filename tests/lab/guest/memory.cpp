// Maps a piece of guest memory with the page size that was asked for.
#include "tests/lab/guest/memory.hpp"

#include "tests/lab/guest/report.hpp"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>

namespace lab {
namespace {

// What the kernel says of one of our own pages.
bool is_swapped(const void* page) {
  constexpr uint64_t kSwapped = uint64_t{1} << 62;
  static const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) fail("open /proc/self/pagemap");
  uint64_t entry = 0;
  off_t place = static_cast<off_t>(reinterpret_cast<uint64_t>(page) / kPageSize * sizeof entry);
  if (pread(pagemap, &entry, sizeof entry, place) != sizeof entry) fail("read of the pagemap");
  return entry & kSwapped;
}

}  // namespace

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

void Memory::swap_out(uint64_t guest_address) {
  void* page = &at<uint8_t>(guest_address);
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0) fail("sched_getaffinity");
  // A page that is new or was spared before waits in a batch of one processor, where the kernel
  // does not see it; the call empties its own processor's. And a page that the guest has used since
  // the last call is spared.
  constexpr int kRounds = 3;
  for (int i = 0; i < kRounds * CPU_SETSIZE && !is_swapped(page); ++i) {
    int cpu = i % CPU_SETSIZE;
    if (!CPU_ISSET(cpu, &all)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) fail("sched_setaffinity");
    if (madvise(page, kPageSize, MADV_PAGEOUT) != 0) fail("MADV_PAGEOUT");
  }
  if (sched_setaffinity(0, sizeof all, &all) != 0) fail("sched_setaffinity");
  errno = 0;
  if (!is_swapped(page)) fail("the page at %p is not swapped out", page);
}

void Memory::leave_to_userfaultfd(uint64_t guest_address) {
  // Stays open: the registration ends with it.
  const int fd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC));
  if (fd < 0) fail("userfaultfd");
  uffdio_api api = {};
  api.api = UFFD_API;
  if (ioctl(fd, UFFDIO_API, &api) != 0) fail("UFFDIO_API");
  uffdio_register page = {};
  page.range = {reinterpret_cast<uint64_t>(&at<uint8_t>(guest_address)), kPageSize};
  page.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (ioctl(fd, UFFDIO_REGISTER, &page) != 0) fail("UFFDIO_REGISTER");
}

}  // namespace lab
