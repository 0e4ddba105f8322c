#include "commands/trace/unsync_batches.hpp"

#include <algorithm>

#include "core/probe/fetch.hpp"

namespace kvmscope::tracing {
namespace {

constexpr std::uint64_t patience_ns = 1'000'000'000;
constexpr std::size_t group_size = 4;  // sp, idx, level, gfn

kvm::UnsyncPage page_in(const std::vector<std::uint64_t>& values, std::size_t at) {
  return {.sp = VirtAddr{values[at]},
          .level = static_cast<unsigned>(values[at + 2]),
          .gfn = Gfn{values[at + 3]},
          // INVALID_INDEX, which the root has, is -1 of 32 bits.
          .idx = static_cast<std::int32_t>(values[at + 1])};
}

bool is_leaf(const kvm::UnsyncPage& page) {
  return page.level == 1;
}

std::optional<std::uint64_t> value_at(const std::vector<std::uint64_t>& values,
                                      std::optional<std::size_t> index) {
  return index ? std::optional(values[*index]) : std::nullopt;
}

// Where in the batch the page of a step is; its size when it is nowhere.
std::size_t place_of_step(const UnsyncProbe& meaning, const std::vector<std::uint64_t>& values,
                          const kvm::UnsyncBatch& batch) {
  const std::vector<kvm::UnsyncPage>& pages = batch.pages;
  if (meaning.i) return values[*meaning.i];
  const auto is_it = [&](const kvm::UnsyncPage& page) {
    return meaning.sp ? page.sp.value == values[*meaning.sp] : is_leaf(page);
  };
  const std::size_t start =
      meaning.sp || batch.steps.empty() ? 0 : static_cast<std::size_t>(batch.steps.back().at) + 1;
  return static_cast<std::size_t>(
      std::find_if(pages.begin() + static_cast<std::ptrdiff_t>(start), pages.end(), is_it) -
      pages.begin());
}

}  // namespace

std::vector<TracedBatch> UnsyncBatches::add(const probe::Hit& hit) {
  const UnsyncProbe& meaning = plan_.meanings.at(hit.probe);
  const std::vector<probe::FetchArg>& args = plan_.probes[hit.probe].args;
  std::vector<TracedBatch> complete;
  if (hit.values.size() != args.size()) return complete;
  std::vector<std::uint64_t> values;
  for (std::size_t i = 0; i < args.size(); ++i)
    values.push_back(probe::value_of(args[i], hit.values[i]));
  auto batch = meaning.kind == UnsyncProbe::Kind::walked ? walked(meaning, hit, values)
                                                         : stepped(meaning, hit, values);
  if (batch) complete.push_back(std::move(*batch));
  return complete;
}

// Entries beyond nr are what the stack held before: their dereferences record nothing at all.
std::optional<TracedBatch> UnsyncBatches::walked(const UnsyncProbe& meaning, const probe::Hit& hit,
                                                 const std::vector<std::uint64_t>& values) {
  std::optional<TracedBatch> before = close(hit.tid);
  const std::uint64_t nr = values[meaning.first];
  if (nr == 0) return before;
  Open open{.traced = {.time_ns = hit.time_ns,
                       .tid = hit.tid,
                       .function = meaning.function,
                       .kvm = value_at(values, meaning.kvm),
                       .vcpu = value_at(values, meaning.vcpu)},
            .last_ns = hit.time_ns};
  kvm::UnsyncBatch& batch = open.traced.batch;
  if (nr > meaning.groups)
    batch.notes.push_back(
        fmt::format("nr is {}: only {} entries were recorded", nr, meaning.groups));
  for (std::size_t i = 0; i < std::min<std::uint64_t>(nr, meaning.groups); ++i)
    batch.pages.push_back(page_in(values, meaning.first + 1 + i * group_size));
  open.steps_to_come =
      static_cast<std::size_t>(std::count_if(batch.pages.begin(), batch.pages.end(), is_leaf));
  const bool goes_on = open.steps_to_come != 0;
  open_.insert_or_assign(hit.tid, std::move(open));
  return before || goes_on ? std::move(before) : close(hit.tid);
}

std::optional<TracedBatch> UnsyncBatches::stepped(const UnsyncProbe& meaning, const probe::Hit& hit,
                                                  const std::vector<std::uint64_t>& values) {
  const auto found = open_.find(hit.tid);
  // The walk was before we looked, or its event was lost.
  if (found == open_.end() || found->second.traced.function != meaning.function) return {};
  Open& open = found->second;
  open.last_ns = hit.time_ns;
  const std::vector<kvm::UnsyncPage>& pages = open.traced.batch.pages;
  const std::size_t at = place_of_step(meaning, values, open.traced.batch);
  if (at >= pages.size()) {
    open.traced.batch.notes.push_back("a step was about none of these pages");
    return {};
  }
  kvm::UnsyncStep step{.at = at, .sp = pages[at].sp, .parents = {}};
  // The path ends with the NULL that mmu_pages_first() puts above the root.
  for (std::size_t i = 0; i < meaning.groups; ++i) {
    const kvm::UnsyncPage parent = page_in(values, meaning.first + i * group_size);
    if (parent.sp.value == 0) break;
    step.parents.push_back(parent);
  }
  open.traced.batch.steps.push_back(std::move(step));
  if (open.traced.batch.steps.size() < open.steps_to_come) return {};
  return close(hit.tid);
}

std::optional<TracedBatch> UnsyncBatches::close(std::int32_t tid) {
  auto node = open_.extract(tid);
  if (node.empty()) return std::nullopt;
  Open& open = node.mapped();
  const std::size_t seen = open.traced.batch.steps.size();
  if (seen < open.steps_to_come)
    open.traced.batch.notes.push_back(
        fmt::format("{} of {} steps were not seen", open.steps_to_come - seen, open.steps_to_come));
  return std::move(open.traced);
}

std::vector<TracedBatch> UnsyncBatches::older_than(std::uint64_t now_ns) {
  std::vector<std::int32_t> late;
  for (const auto& [tid, open] : open_)
    if (open.last_ns + patience_ns < now_ns) late.push_back(tid);
  std::vector<TracedBatch> batches;
  for (const std::int32_t tid : late) batches.push_back(*close(tid));
  return batches;
}

}  // namespace kvmscope::tracing
