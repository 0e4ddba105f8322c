#include "core/kvm/audit/findings.hpp"

#include <algorithm>
#include <unordered_map>

namespace kvmscope::kvm::audit {
namespace {

bool breaks(const Finding& cause, const Finding& effect) {
  return std::ranges::find(cause.rule->breaks, effect.rule->name) != cause.rule->breaks.end();
}

std::vector<VirtAddr> objects_of(const Finding& finding) {
  std::vector<VirtAddr> objects = finding.related;
  objects.push_back(finding.address);
  if (finding.page) objects.push_back(finding.page->address);
  return objects;
}

// Finds the cause of each finding, then the root that its causes lead to.
class Grouping {
 public:
  explicit Grouping(const std::vector<Finding>& all) : all_(all), cause_(all.size(), nowhere) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].wide) wide_.push_back(i);
      for (const VirtAddr object : objects_of(all[i])) about_[object.value].push_back(i);
    }
    for (std::size_t i = 0; i < all.size(); ++i) cause_[i] = cause_of(i);
  }

  std::size_t root_of(std::size_t i) const {
    // Two that list each other would go round: the first that is met is the root.
    for (std::size_t steps = 0; cause_[i] != nowhere && steps < all_.size(); ++steps) {
      if (cause_[cause_[i]] == i && i < cause_[i]) return i;
      i = cause_[i];
    }
    return i;
  }

 private:
  static constexpr std::size_t nowhere = ~std::size_t{0};

  std::size_t cause_of(std::size_t i) const {
    for (const VirtAddr object : objects_of(all_[i]))
      for (const std::size_t other : about_.at(object.value))
        if (other != i && breaks(all_[other], all_[i])) return other;
    for (const std::size_t other : wide_)
      if (other != i && breaks(all_[other], all_[i])) return other;
    if (!all_[i].wide) return nowhere;
    for (std::size_t other = 0; other < all_.size(); ++other)
      if (other != i && breaks(all_[other], all_[i])) return other;
    return nowhere;
  }

  const std::vector<Finding>& all_;
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> about_;
  std::vector<std::size_t> wide_;
  std::vector<std::size_t> cause_;
};

}  // namespace

std::string_view name(Severity severity) {
  return severity == Severity::error ? "error" : "info";
}

std::string_view name(Object object) {
  switch (object) {
    case Object::vm: return "vm";
    case Object::list: return "list";
    case Object::sp: return "sp";
    case Object::spte: return "spte";
    case Object::rmap: return "rmap";
    case Object::slot: return "slot";
    case Object::vcpu: return "vcpu";
  }
  return "vm";
}

void Findings::add(const Rule& rule, Finding finding) {
  if (++counts_[rule.name] > most_of_a_rule) {
    ++left_out_[rule.name];
    return;
  }
  finding.rule = &rule;
  all_.push_back(std::move(finding));
}

void Findings::group() {
  const Grouping grouping(all_);
  std::vector<std::pair<std::size_t, std::size_t>> order;  // (root, itself)
  for (std::size_t i = 0; i < all_.size(); ++i) order.emplace_back(grouping.root_of(i), i);
  std::ranges::stable_sort(order, [](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    return (a.second == a.first) > (b.second == b.first);
  });
  std::vector<Finding> grouped;
  grouped.reserve(all_.size());
  std::size_t root = 0;
  for (const auto& [of, self] : order) {
    if (of == self) root = grouped.size();
    grouped.push_back(std::move(all_[self]));
    // Nothing is added any more, so that addresses of elements stay.
    grouped.back().cause = of == self ? nullptr : &grouped[root];
  }
  all_ = std::move(grouped);
}

}  // namespace kvmscope::kvm::audit
