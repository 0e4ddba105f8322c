#include "core/memory/kcore.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// The kernel's image is mapped from here on: it has physical addresses, too, but is not the direct
// map (__START_KERNEL_map, asm/page_64_types.h).
constexpr std::uint64_t kernel_image_base = 0xffffffff80000000;
constexpr std::uint64_t lowest_kernel_address = 0xff00000000000000;
// The direct map is at most this large with 5 levels of page tables (Documentation/arch/x86).
constexpr std::uint64_t largest_direct_map = 1ULL << 55;

bool in_direct_map(const KcoreSegment& segment) {
  return segment.physical && segment.first.value < kernel_image_base;
}

// It ends where the next region starts: KASLR packs them closely.
DirectMap direct_map_of(const std::vector<KcoreSegment>& segments) {
  const auto first = std::find_if(segments.begin(), segments.end(), in_direct_map);
  if (first == segments.end()) return {};
  const VirtAddr start = first->first - first->physical->value;
  std::uint64_t size = largest_direct_map;
  for (const KcoreSegment& segment : segments)
    if (segment.first > start && !in_direct_map(segment))
      size = std::min(size, segment.first - start);
  return {start, size};
}

}  // namespace

KcoreMemory::KcoreMemory(FileDescriptor file, std::vector<KcoreSegment> segments)
    : file_(std::move(file)), segments_(std::move(segments)) {
  std::sort(segments_.begin(), segments_.end(), [](const KcoreSegment& a, const KcoreSegment& b) {
    return a.first.value < b.first.value;
  });
  direct_map_ = direct_map_of(segments_);
}

const KcoreSegment* KcoreMemory::find(VirtAddr at) const {
  const auto holds = [&](const KcoreSegment& segment) {
    return at >= segment.first && at <= segment.last;
  };
  if (last_ != nullptr && holds(*last_)) return last_;
  const auto found = std::find_if(segments_.begin(), segments_.end(), holds);
  if (found == segments_.end()) return nullptr;
  return last_ = &*found;
}

void KcoreMemory::throw_nowhere(VirtAddr at) const {
  if (at - direct_map_.start < direct_map_.size)
    throw_error(ErrorKind::fault,
                "{:#x} is not in the list of memory that /proc/kcore had when it was opened: added "
                "since start (run kvmscope again), or no RAM",
                at.value);
  throw_error(ErrorKind::fault, "{:#x} is {}", at.value,
              at.value < lowest_kernel_address
                  ? "no address of the kernel"
                  : "in no region that /proc/kcore shows (direct map, vmalloc, modules, text)");
}

void KcoreMemory::read(VirtAddr at, MutableBytes into) const {
  while (!into.empty()) {
    const KcoreSegment* segment = find(at);
    if (segment == nullptr) throw_nowhere(at);
    const std::uint64_t behind = segment->last - at;  // bytes after the first
    const std::size_t count = std::min<std::uint64_t>(into.size() - 1, behind) + 1;
    read_file(*segment, at, into.first(count));
    into = into.subspan(count);
    at += count;
  }
}

void KcoreMemory::read_file(const KcoreSegment& segment, VirtAddr at, MutableBytes into) const {
  counts_.bytes += into.size();
  const ReadAt done = read_at(file_.get(), segment.file_offset + (at - segment.first), into);
  counts_.reads += done.calls;
  if (done.count < into.size())
    throw_error(ErrorKind::fault, "cannot read {} bytes at {:#x}: {}", into.size() - done.count,
                at.value + done.count,
                done.error == 0 ? "/proc/kcore ends before it" : std::strerror(done.error));
}

}  // namespace kvmscope
