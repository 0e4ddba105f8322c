#include "core/memory/kdump_pages.hpp"

#include <algorithm>
#include <bit>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// struct page_desc
struct PageDescriptor {
  std::uint64_t offset;
  std::uint32_t size;
  std::uint32_t flags;
  std::uint64_t page_flags;
};
static_assert(sizeof(PageDescriptor) == 24);

constexpr std::uint64_t frames_per_word = 64;
constexpr std::uint64_t frames_per_block = 512;

// Pages are written in order, so the end of the data is in one of the last descriptors; all
// zero pages share the first one's data.
constexpr std::uint64_t descriptors_to_check = 4096;

// Bitmaps are whole pages, so that whole words can be read.
std::uint64_t word(Bytes bitmap, std::uint64_t number) {
  return load<std::uint64_t>(bitmap, number * 8);
}

bool test_bit(Bytes bitmap, std::uint64_t index) {
  return (word(bitmap, index / frames_per_word) >> (index % frames_per_word) & 1) != 0;
}

std::uint64_t count(std::uint64_t bits) {
  return static_cast<std::uint64_t>(std::popcount(bits));
}

}  // namespace

KdumpPages::KdumpPages(Bytes file, const KdumpHeader& header)
    : file_(file),
      frames_(header.frames),
      memory_bitmap_(header.memory_bitmap),
      dumped_bitmap_(header.dumped_bitmap),
      descriptors_offset_(header.descriptors_offset) {
  constexpr std::uint64_t words_per_block = frames_per_block / frames_per_word;
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < dumped_bitmap_.size() / 8; ++i) {
    if (i % words_per_block == 0) dumped_before_block_.push_back(total);
    total += count(word(dumped_bitmap_, i));
  }
  dumped_before_block_.push_back(total);
}

std::uint64_t KdumpPages::dumped_before(std::uint64_t frame) const {
  const std::uint64_t block = frame / frames_per_block;
  const std::uint64_t last = frame / frames_per_word;
  std::uint64_t result = dumped_before_block_[block];
  for (std::uint64_t i = block * (frames_per_block / frames_per_word); i < last; ++i)
    result += count(word(dumped_bitmap_, i));
  const auto below = static_cast<unsigned>(frame % frames_per_word);
  return result + count(word(dumped_bitmap_, last) & low_bits(below));
}

std::optional<Missing> KdumpPages::missing(Pfn frame) const {
  if (frame.value >= frames_) return Missing::nowhere;
  if (!test_bit(dumped_bitmap_, frame.value)) {
    const bool memory = memory_bitmap_.empty() || test_bit(memory_bitmap_, frame.value);
    return memory ? Missing::excluded : Missing::nowhere;
  }
  const std::uint64_t at =
      descriptors_offset_ + dumped_before(frame.value) * sizeof(PageDescriptor);
  if (file_.size() < sizeof(PageDescriptor) || at > file_.size() - sizeof(PageDescriptor))
    return Missing::truncated;
  const auto page = load<PageDescriptor>(file_, at);
  // No compression makes a page longer: makedumpfile then stores it as it is.
  if (page.size == 0 || page.size > page_size || page.offset < descriptors_offset_)
    throw_error(ErrorKind::fault,
                "physical address {:#x}: the page is damaged: its descriptor says {} bytes at "
                "{:#x} of the file",
                to_phys(frame).value, page.size, page.offset);
  if (page.offset > file_.size() || file_.size() - page.offset < page.size)
    return Missing::truncated;
  return std::nullopt;
}

std::vector<PhysRange> KdumpPages::memory_ranges() const {
  if (memory_bitmap_.empty()) return {{{0}, to_phys(Pfn{frames_})}};
  std::vector<PhysRange> ranges;
  for (std::uint64_t frame = 0; frame < frames_;) {
    // 64 frames at a time where they are alike: the bitmap of a large machine is long.
    const std::uint64_t bits = word(memory_bitmap_, frame / frames_per_word);
    const bool whole = frame % frames_per_word == 0 && (bits == 0 || bits == ~0ULL);
    const std::uint64_t next = std::min(frame + (whole ? frames_per_word : 1), frames_);
    if (test_bit(memory_bitmap_, frame)) {
      if (!ranges.empty() && ranges.back().end == to_phys(Pfn{frame}))
        ranges.back().end = to_phys(Pfn{next});
      else
        ranges.push_back({to_phys(Pfn{frame}), to_phys(Pfn{next})});
    }
    frame = next;
  }
  return ranges;
}

std::uint64_t KdumpPages::expected_file_size() const {
  const std::uint64_t pages = dumped_before_block_.back();
  std::uint64_t expected = descriptors_offset_ + pages * sizeof(PageDescriptor);
  if (expected > file_.size()) return expected;
  for (std::uint64_t i = pages - std::min(pages, descriptors_to_check); i < pages; ++i) {
    const auto page = load<PageDescriptor>(file_, descriptors_offset_ + i * sizeof(PageDescriptor));
    const std::uint64_t end = page.offset + page.size;
    if (end >= page.offset) expected = std::max(expected, end);
  }
  return expected;
}

}  // namespace kvmscope
