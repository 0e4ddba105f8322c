#include "tests/support/fake_kernel_memory.hpp"

#include <stdexcept>

namespace kvmscope {
namespace {

constexpr std::uint64_t gap = 64;  // so that reading past the end of a struct is noticed

}  // namespace

VirtAddr FakeMemory::allocate(std::uint64_t size) {
  const PhysAddr at = next_;
  next_ = {align_up(next_.value + size + gap, 64)};
  physical_.add_zeros(at, size);
  return virt(at);
}

VirtAddr FakeMemory::allocate_page(VirtAddr owner) {
  const PhysAddr at = next_page_;
  next_page_ += page_size;
  physical_.add_zeros(at, page_size);
  const VirtAddr frame = vmemmap + to_pfn(at).value * size_of("page");
  physical_.add_zeros(phys(frame), size_of("page"));
  set(frame, "page", "private", owner.value);
  return virt(at);
}

VirtAddr FakeMemory::string(std::string_view text) {
  // A reader of strings takes what the page still holds.
  const VirtAddr at = allocate_page();
  write(at, text);
  return at;
}

const Type& FakeMemory::type(std::string_view structure) const {
  const Types::Found found = types_.find(TypeKind::structure, structure);
  return found.type != nullptr ? *found.type : types_.get(TypeKind::union_type, structure);
}

std::optional<FoundMember> FakeMemory::find(std::string_view structure, Spellings paths) const {
  for (const std::string_view path : paths)
    if (const auto found = find_path(types_, type(structure), path)) return found;
  return std::nullopt;
}

FoundMember FakeMemory::need(std::string_view structure, Spellings paths) const {
  const std::optional<FoundMember> found = find(structure, paths);
  if (!found)
    throw std::invalid_argument("the fake " + std::string(structure) + " has no " +
                                std::string(*paths.begin()));
  return *found;
}

bool FakeMemory::has(std::string_view structure, std::string_view path) const {
  return find(structure, {path}).has_value();
}

std::uint64_t FakeMemory::size_of(std::string_view structure) const {
  return type(structure).size;
}

std::uint64_t FakeMemory::element_count(std::string_view structure, std::string_view path) const {
  return strip(*need(structure, {path}).type).count.value_or(0);
}

VirtAddr FakeMemory::member(VirtAddr at, std::string_view structure, Spellings paths) const {
  return at + need(structure, paths).bit_offset / 8;
}

void FakeMemory::set(VirtAddr at, std::string_view structure, Spellings paths,
                     std::uint64_t value) {
  const FoundMember found = need(structure, paths);
  const std::uint64_t bits = found.bit_size != 0 ? found.bit_size : 8 * found.type->size;
  const PhysAddr start = phys(at);
  for (std::uint64_t bit = 0; bit < bits; ++bit) {
    const std::uint64_t place = found.bit_offset + bit;
    const PhysAddr byte = start + place / 8;
    const unsigned mask = 1U << (place % 8);
    const unsigned old = physical_.value<std::uint8_t>(byte);
    const bool one = bit < 64 && (value >> bit & 1) != 0;
    physical_.set(byte, static_cast<std::uint8_t>(one ? old | mask : old & ~mask));
  }
}

bool FakeMemory::try_set(VirtAddr at, std::string_view structure, Spellings paths,
                         std::uint64_t value) {
  if (!find(structure, paths)) return false;
  set(at, structure, paths, value);
  return true;
}

std::uint64_t FakeMemory::get(VirtAddr at, std::string_view structure,
                              std::string_view path) const {
  const FoundMember found = need(structure, {path});
  const std::uint64_t bits = found.bit_size != 0 ? found.bit_size : 8 * found.type->size;
  std::uint64_t value = 0;
  for (std::uint64_t bit = 0; bit < bits && bit < 64; ++bit) {
    const std::uint64_t place = found.bit_offset + bit;
    const std::uint64_t byte = physical_.value<std::uint8_t>(phys(at) + place / 8);
    value |= (byte >> (place % 8) & 1) << bit;
  }
  return value;
}

void FakeMemory::init_list(VirtAddr head) {
  poke(head, head.value);
  poke(head + 8, head.value);
}

void FakeMemory::list_add(VirtAddr node, VirtAddr head) {
  const VirtAddr next{peek(head)};
  poke(node, next.value);
  poke(node + 8, head.value);
  poke(next + 8, node.value);
  poke(head, node.value);
}

void FakeMemory::list_add_tail(VirtAddr node, VirtAddr head) {
  list_add(node, VirtAddr{peek(head + 8)});
}

void FakeMemory::list_del(VirtAddr node) {
  const VirtAddr next{peek(node)};
  const VirtAddr prev{peek(node + 8)};
  poke(prev, next.value);
  poke(next + 8, prev.value);
  poke(node, 0xdead000000000100);
  poke(node + 8, 0xdead000000000122);
}

}  // namespace kvmscope
