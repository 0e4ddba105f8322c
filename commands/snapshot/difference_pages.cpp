// How the shadow pages and their number differ.

#include <algorithm>
#include <array>

#include "commands/snapshot/difference.hpp"

namespace kvmscope::snapshots {
namespace {

Difference difference(const PageState& page, std::string_view change) {
  Difference difference{.subject = "page", .change = change, .address = page.sp};
  if (page.readable) {
    difference.level = page.level;
    difference.gfn = page.gfn;
  }
  return difference;
}

// A fact of a page that comes or goes while it stays the same page.
struct FlagOf {
  bool PageState::*flag;
  std::string_view set, cleared;
};
constexpr std::array<FlagOf, 3> flags = {
    {{&PageState::unsync, "became unsync", "was synced"},
     {&PageState::invalid, "became invalid", "became valid"},
     {&PageState::obsolete, "became obsolete", "became current"}}};

void compare_page(const VmPair& vm, const PageState& before, const PageState& after) {
  if (!before.same_page(after)) {
    vm.add(difference(before, "zapped"));
    return vm.add(difference(after, "built"));
  }
  for (const FlagOf& flag : flags)
    if (before.*flag.flag != after.*flag.flag)
      vm.add(difference(after, after.*flag.flag ? flag.set : flag.cleared));
}

std::uint64_t count_at(const VmState& vm, std::uint64_t level) {
  const auto found = vm.pages_by_level.find(level);
  return found != vm.pages_by_level.end() ? found->second : 0;
}

void compare_numbers(const VmPair& vm, std::string name, std::optional<std::uint64_t> level,
                     std::uint64_t before, std::uint64_t after) {
  if (before == after) return;
  vm.add({.subject = "tables",
          .name = std::move(name),
          .change = before < after ? "grew" : "shrank",
          .level = level,
          .before = before,
          .after = after});
}

}  // namespace

void compare_page_counts(const VmPair& vm) {
  if (vm.before.page_bytes && vm.after.page_bytes)
    compare_numbers(vm, "bytes", std::nullopt, *vm.before.page_bytes, *vm.after.page_bytes);
  constexpr std::uint64_t highest = 5;
  for (std::uint64_t level = highest; level >= 1; --level)
    compare_numbers(vm, "pages", level, count_at(vm.before, level), count_at(vm.after, level));
}

void compare_pages(const VmPair& vm) {
  auto old = vm.before.pages.begin();
  auto now = vm.after.pages.begin();
  std::size_t unknown = 0;
  while (old != vm.before.pages.end() || now != vm.after.pages.end()) {
    if (now == vm.after.pages.end() || (old != vm.before.pages.end() && old->sp < now->sp))
      vm.add(difference(*old++, "zapped"));
    else if (old == vm.before.pages.end() || now->sp < old->sp)
      vm.add(difference(*now++, "built"));
    else if (!old->readable || !now->readable)
      ++unknown, ++old, ++now;
    else
      compare_page(vm, *old++, *now++);
  }
  if (unknown != 0)
    vm.sink.missing(fmt::format("{} pages of VM {} are not compared: they could not be read",
                                unknown, vm.before.id));
}

}  // namespace kvmscope::snapshots
