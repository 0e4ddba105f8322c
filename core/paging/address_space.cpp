#include "core/paging/address_space.hpp"

#include <algorithm>
#include <cassert>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

template <typename Output>
[[noreturn]] void throw_unmapped(std::uint64_t address, const WalkStep<Output>& last) {
  throw_error(ErrorKind::fault, "address {:#x} is not mapped (level {} entry {:#x}{})", address,
              last.level, last.entry,
              last.kind == StepKind::reserved ? ", which has reserved bits set" : "");
}

const PageFormat& x86_64_format(unsigned levels) {
  assert(levels == 4 || levels == 5);
  return levels == 5 ? x86_64_level5 : x86_64_level4;
}

}  // namespace

template <typename Input, typename Output>
PagedMemory<Input, Output>::PagedMemory(const Reader<Output>& memory, const PageFormat& format,
                                        Output root, std::uint64_t ignored_bits)
    : tables_{memory, format, root, ignored_bits} {}

template <typename Input, typename Output>
void PagedMemory<Input, Output>::set_direct_map(Input start, std::uint64_t size) {
  direct_map_ = start;
  direct_map_size_ = size;
}

template <typename Input, typename Output>
void PagedMemory<Input, Output>::read(Input at, MutableBytes into) const {
  with_context([&] { return fmt::format("reading {} bytes at {:#x}", into.size(), at.value); },
               [&] {
                 const std::uint64_t inside = at - direct_map_;
                 if (inside < direct_map_size_ && into.size() <= direct_map_size_ - inside)
                   tables_.memory.read(Output{inside}, into);
                 else
                   read_pages(at, into);
               });
}

template <typename Input, typename Output>
void PagedMemory<Input, Output>::read_pages(Input at, MutableBytes into) const {
  while (!into.empty()) {
    const TranslationCache::Hit hit = look_up(at);
    const std::size_t count = std::min<std::uint64_t>(into.size(), hit.bytes_left);
    tables_.memory.read(Output{hit.target}, into.first(count));
    into = into.subspan(count);
    at += count;
  }
}

template <typename Input, typename Output>
std::optional<TranslationCache::Hit> PagedMemory<Input, Output>::remembered(Input at) const {
  const std::uint64_t inside = at - direct_map_;
  if (inside < direct_map_size_) return TranslationCache::Hit{inside, direct_map_size_ - inside};
  return cache_.find(at.value);
}

template <typename Input, typename Output>
WalkStep<Output> PagedMemory<Input, Output>::walk(Input at) const {
  const WalkStep<Output> last = walk_pages(tables_, at.value);
  if (last.kind == StepKind::leaf) cache_.add(at.value, last.target.value, last.page_bytes);
  return last;
}

template <typename Input, typename Output>
TranslationCache::Hit PagedMemory<Input, Output>::look_up(Input at) const {
  if (const auto hit = remembered(at)) return *hit;
  if (!is_canonical(tables_.format, at.value))
    throw_error(ErrorKind::fault, "{:#x} is not a canonical address", at.value);
  const WalkStep<Output> last = walk(at);
  if (last.kind != StepKind::leaf) throw_unmapped(at.value, last);
  return {last.target.value, last.page_bytes - (at.value & (last.page_bytes - 1))};
}

template <typename Input, typename Output>
Output PagedMemory<Input, Output>::translate(Input at) const {
  return Output{look_up(at).target};
}

template <typename Input, typename Output>
std::optional<Output> PagedMemory<Input, Output>::find(Input at) const {
  if (const auto hit = remembered(at)) return Output{hit->target};
  if (!is_canonical(tables_.format, at.value)) return std::nullopt;
  const WalkStep<Output> last = walk(at);
  if (last.kind != StepKind::leaf) return std::nullopt;
  return last.target;
}

template class PagedMemory<VirtAddr, PhysAddr>;
template class PagedMemory<GuestVirtAddr, GuestPhysAddr>;
template class PagedMemory<GuestPhysAddr, PhysAddr>;

AddressSpace::AddressSpace(const PhysReader& memory, PhysAddr root, unsigned levels,
                           std::uint64_t sme_mask)
    : PagedMemory(memory, x86_64_format(levels), root, sme_mask) {}

}  // namespace kvmscope
