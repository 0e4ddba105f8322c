// How vCPUs and their root slots differ.

#include <algorithm>
#include <compare>
#include <tuple>

#include "commands/snapshot/difference.hpp"

namespace kvmscope::snapshots {
namespace {

// What tells a root from others, wherever it is kept.
auto identity(const RootState& root) {
  return std::tie(root.vcpu, root.hpa, root.pgd, root.level);
}
bool less(const RootState& a, const RootState& b) {
  return identity(a) < identity(b);
}

// The valid ones in order of identity. An entry of a PAE table moves with its root.
std::vector<RootState> sorted_roots(const VmState& vm) {
  std::vector<RootState> roots;
  for (const RootState& root : vm.roots)
    if (root.valid) roots.push_back(root);
  std::stable_sort(roots.begin(), roots.end(), less);
  return roots;
}

bool is_current(const RootState& root) {
  return root.slot.starts_with("current");
}

std::string_view change_of(const RootState& before, const RootState& after) {
  if (is_current(before) && !is_current(after)) return "into prev_roots";
  if (!is_current(before) && is_current(after)) return "out of prev_roots";
  return before.slot != after.slot ? "moved" : "";
}

Difference difference(const RootState& root, std::string_view change) {
  return {.subject = "root",
          .name = root.vcpu,
          .change = change,
          .level = root.level,
          .address = root.hpa,
          .gfn = root.gfn};
}

void compare_root(const VmPair& vm, const RootState& before, const RootState& after) {
  if (const std::string_view change = change_of(before, after); !change.empty()) {
    Difference moved = difference(after, change);
    moved.before = before.slot;
    moved.after = after.slot;
    vm.add(std::move(moved));
  }
  if (before.invalid == false && after.invalid == true) {
    Difference invalid = difference(after, "became invalid");
    invalid.before = before.slot;
    invalid.after = after.slot;
    vm.add(std::move(invalid));
  }
}

}  // namespace

void compare_vcpus(const VmPair& vm) {
  std::map<std::string, std::pair<const std::string*, const std::string*>> vcpus;
  for (const auto& [name, paging] : vm.before.vcpus) vcpus[name].first = &paging;
  for (const auto& [name, paging] : vm.after.vcpus) vcpus[name].second = &paging;
  for (const auto& [name, both] : vcpus) {
    const auto& [old, now] = both;
    if (old == nullptr || now == nullptr)
      vm.add({.subject = "vcpu", .name = name, .change = old == nullptr ? "appeared" : "gone"});
    else if (*old != *now && !old->empty() && !now->empty())
      vm.add({.subject = "vcpu",
              .name = name,
              .change = "changed paging",
              .before = *old,
              .after = *now});
  }
}

void compare_roots(const VmPair& vm) {
  const std::vector<RootState> before = sorted_roots(vm.before);
  const std::vector<RootState> after = sorted_roots(vm.after);
  auto old = before.begin();
  auto now = after.begin();
  while (old != before.end() || now != after.end()) {
    if (now == after.end() || (old != before.end() && less(*old, *now))) {
      Difference dropped = difference(*old, "dropped");
      dropped.before = old++->slot;
      vm.add(std::move(dropped));
    } else if (old == before.end() || less(*now, *old)) {
      Difference built = difference(*now, "new");
      built.after = now++->slot;
      vm.add(std::move(built));
    } else {
      compare_root(vm, *old++, *now++);
    }
  }
}

}  // namespace kvmscope::snapshots
