#include "core/memory/steady.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

// Bytes this close are read again together: neighbours in a slab, members of one struct. Further
// away they may be in memory that is not there.
constexpr std::uint64_t check_gap = 96;
constexpr std::uint64_t longest_check = 16 * page_size;
// What one piece of work may depend on: some 200 MiB of our own memory.
constexpr std::size_t most_uses = 3'000'000;
constexpr std::size_t most_data = 64 << 20;

std::string value_text(Bytes bytes) {
  return fmt::format("{:#x}", load_unsigned(bytes));
}

std::string name_of(const UseLabel& label, std::size_t size, VirtAddr at) {
  if (label.member.empty()) return fmt::format("{} bytes at {:#x}", size, at.value);
  if (label.structure.empty()) return fmt::format("the {} at {:#x}", label.member, at.value);
  return fmt::format("{} of {} at {:#x}", label.member, label.structure, at.value);
}

}  // namespace

// ---- SteadyMemory

void SteadyMemory::start(ReadLimits limits) const {
  limits_ = std::move(limits);
  bytes_ = 0;
}

void SteadyMemory::fetch(VirtAddr at, MutableBytes into) const {
  check_interrupt();
  bytes_ += into.size();
  if (limits_.bytes != 0 && bytes_ > limits_.bytes)
    throw_error(ErrorKind::limit,
                "stopped: a command may read {:g} MiB of the running kernel (--max-bytes, "
                "set max-bytes; 0 is no limit)",
                static_cast<double>(limits_.bytes) / (1 << 20));
  if (limits_.time.count() != 0 && limits_.taken() > limits_.time)
    throw_error(ErrorKind::limit,
                "stopped: a command may look at the running kernel for {:g} s (--max-seconds, "
                "set max-seconds; 0 is no limit)",
                std::chrono::duration<double>(limits_.time).count());
  memory_.read(at, into);
}

const std::byte* SteadyMemory::find_kept(VirtAddr at, std::size_t size) const {
  const auto after = kept_.upper_bound(at.value);
  if (after == kept_.begin()) return nullptr;
  const auto& [start, block] = *std::prev(after);
  const std::uint64_t inside = at.value - start;
  if (inside > block.size() || size > block.size() - inside) return nullptr;
  return block.data() + inside;
}

// A block that holds `at`.
void SteadyMemory::forget_kept(VirtAddr at) const {
  const auto after = kept_.upper_bound(at.value);
  if (after != kept_.begin() && find_kept(at, 1) != nullptr) kept_.erase(std::prev(after));
}

void SteadyMemory::keep(VirtAddr at, std::uint64_t size) const {
  std::vector<std::byte> block(size);
  fetch(at, block);
  kept_.insert_or_assign(at.value, std::move(block));
}

void SteadyMemory::peek(VirtAddr at, MutableBytes into) const {
  if (!kept_.empty()) {
    if (const std::byte* kept = find_kept(at, into.size())) {
      std::memcpy(into.data(), kept, into.size());
      return;
    }
  }
  if (recording_ == nullptr) return fetch(at, into);
  const std::optional<Error> lost = lost_in([&] { fetch(at, into); });
  if (!lost) return;
  recording_->add_failed(at, into.size());
  throw Error(*lost);
}

void SteadyMemory::read(VirtAddr at, MutableBytes into) const {
  peek(at, into);
  used(at, into, {});
}

void SteadyMemory::used(VirtAddr at, Bytes bytes, const UseLabel& label) const {
  if (recording_ != nullptr && !bytes.empty()) recording_->add(at, bytes, label);
}

// ---- Recording

Recording::Recording(const SteadyMemory* memory) {
  attach(memory);
}

void Recording::attach(const SteadyMemory* memory) {
  if (memory_ != nullptr || memory == nullptr) return;
  memory_ = memory;
  outer_ = memory_->recording_;
  memory_->recording_ = this;
}

Recording::~Recording() {
  if (memory_ != nullptr) memory_->recording_ = outer_;
}

void Recording::forget(std::size_t number) {
  std::erase_if(uses_, [&](const Use& use) { return use.part == number; });
  if (uses_.empty()) data_.clear();
}

void Recording::add(VirtAddr at, Bytes bytes, const UseLabel& label) {
  // The same bytes are often used several times in a row.
  if (!uses_.empty()) {
    const Use& last = uses_.back();
    if (last.at == at && last.size == bytes.size() && last.part == part_ && !last.failed &&
        std::ranges::equal(bytes_of(last), bytes))
      return;
  }
  if (uses_.size() == most_uses || data_.size() + bytes.size() > most_data)
    throw_error(ErrorKind::limit,
                "stopped: this depends on more than {} places in memory, too many to check",
                most_uses);
  const auto start = static_cast<std::uint32_t>(data_.size());
  data_.insert(data_.end(), bytes.begin(), bytes.end());
  uses_.push_back({at, static_cast<std::uint32_t>(bytes.size()), start,
                   static_cast<std::uint32_t>(part_), false, label});
}

void Recording::add_failed(VirtAddr at, std::size_t size) {
  uses_.push_back(
      {at, static_cast<std::uint32_t>(size), 0, static_cast<std::uint32_t>(part_), true, {}});
}

void Recording::compare(const Use& use, Bytes now, Changes& changes) const {
  const Bytes then = bytes_of(use);
  if (std::ranges::equal(then, now)) return;
  memory_->forget_kept(use.at);
  std::string text = name_of(use.label, use.size, use.at);
  text +=
      use.size > 8 ? " changed" : fmt::format(" was {}, is {}", value_text(then), value_text(now));
  changes.try_emplace(use.part, std::move(text));
}

void Recording::check_one(const Use& use, Changes& changes) const {
  std::vector<std::byte> now(use.size);
  const std::optional<Error> lost = lost_in([&] { memory_->fetch(use.at, now); });
  if (use.failed == lost.has_value()) {
    if (!lost) compare(use, now, changes);
    return;
  }
  changes.try_emplace(use.part, fmt::format("{} {} be read{}", name_of(use.label, use.size, use.at),
                                            lost ? "cannot" : "can", lost ? " any more" : " now"));
}

void Recording::check_run(const std::vector<const Use*>& run, Changes& changes) const {
  if (run.size() == 1) return check_one(*run.front(), changes);
  std::uint64_t end = 0;
  for (const Use* use : run) end = std::max(end, use->at.value + use->size);
  const VirtAddr start = run.front()->at;
  std::vector<std::byte> now(end - start.value);
  if (lost_in([&] { memory_->fetch(start, now); })) {
    for (const Use* use : run) check_one(*use, changes);
    return;
  }
  for (const Use* use : run) compare(*use, Bytes(now).subspan(use->at - start, use->size), changes);
}

std::map<std::size_t, std::string> Recording::changes() const {
  Changes changes;
  std::vector<const Use*> sorted;
  for (const Use& use : uses_) sorted.push_back(&use);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Use* a, const Use* b) { return a->at < b->at; });
  std::vector<const Use*> run;
  std::uint64_t end = 0;
  for (const Use* use : sorted) {
    const std::uint64_t use_end = use->at.value + use->size;
    const bool near = !run.empty() && use->at.value <= end + check_gap &&
                      use_end - run.front()->at.value <= longest_check;
    if (!run.empty() && (!near || use->failed)) {
      check_run(run, changes);
      run.clear();
    }
    if (use->failed) {
      check_one(*use, changes);
      continue;
    }
    end = run.empty() ? use_end : std::max(end, use_end);
    run.push_back(use);
  }
  if (!run.empty()) check_run(run, changes);
  return changes;
}

std::string Recording::change() const {
  const Changes all = changes();
  return all.empty() ? "" : all.begin()->second;
}

// ---- DirectMapMemory

void DirectMapMemory::check(PhysAddr at, std::size_t size) const {
  if (at.value >= size_ || size > size_ - at.value)
    throw_error(ErrorKind::fault, "physical address {:#x}: the direct map ends before it",
                at.value);
}

void DirectMapMemory::read(PhysAddr at, MutableBytes into) const {
  check(at, into.size());
  with_context([&] { return fmt::format("reading physical address {:#x}", at.value); },
               [&] { memory_.read(start_ + at.value, into); });
}

void DirectMapMemory::peek(PhysAddr at, MutableBytes into) const {
  check(at, into.size());
  with_context([&] { return fmt::format("reading physical address {:#x}", at.value); },
               [&] { memory_.peek(start_ + at.value, into); });
}

}  // namespace kvmscope
