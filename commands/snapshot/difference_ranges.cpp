// How the ranges that a root maps differ.

#include <algorithm>
#include <array>

#include "commands/snapshot/difference.hpp"

namespace kvmscope::snapshots {
namespace {

constexpr std::uint8_t other_bits = static_cast<std::uint8_t>(~(write_bit | dirty_bit));

// How a range was mapped and is now; level 0: not at all.
struct Change {
  std::uint64_t first = 0, last = 0;
  RunState before, after;

  bool continues(const Change& other) const {
    return first == other.last + 1 && before.level == other.before.level &&
           before.access == other.before.access && after.level == other.after.level &&
           after.access == other.after.access;
  }
};

// "2M rwx- D"
Value mapping_text(const RunState& run) {
  constexpr std::array<std::string_view, 6> sizes = {"", "4K", "2M", "1G", "512G", "256T"};
  if (run.level == 0) return {};
  std::string text = fmt::format("{} ", run.level < sizes.size() ? sizes[run.level] : "?");
  for (std::size_t i = 0; i + 1 < access_letters.size(); ++i)
    text += (run.access >> i & 1) != 0 ? access_letters[i] : '-';
  if ((run.access & dirty_bit) != 0) text += " D";
  return text;
}

// The words for a change, in the order in which they are told.
std::vector<std::string_view> words_of(const RunState& a, const RunState& b) {
  if (a.level == 0) return {"mapped"};
  if (b.level == 0) return {"unmapped"};
  std::vector<std::string_view> words;
  const auto gained = [&](std::uint8_t bit) { return (a.access & bit) < (b.access & bit); };
  const auto lost = [&](std::uint8_t bit) { return (a.access & bit) > (b.access & bit); };
  const std::array<std::pair<bool, std::string_view>, 7> all = {
      {{a.level > b.level, "split"},
       {a.level < b.level, "merged"},
       {gained(write_bit), "gained write"},
       {lost(write_bit), "lost write"},
       {gained(dirty_bit), "gained dirty"},
       {lost(dirty_bit), "lost dirty"},
       {(a.access & other_bits) != (b.access & other_bits), "changed access"}}};
  for (const auto& [is_so, word] : all)
    if (is_so) words.push_back(word);
  return words;
}

class Ranges {
 public:
  Ranges(const VmPair& vm, const TreeState& before, const TreeState& after)
      : vm_(vm), before_(before), after_(after) {}

  // Goes through both at once, in pieces that each has mapped in one way.
  void compare() {
    std::size_t i = 0;
    std::size_t j = 0;
    std::uint64_t at = 0;
    while (i < before_.runs.size() || j < after_.runs.size()) {
      const RunState old = piece(before_.runs, i, at);
      const RunState now = piece(after_.runs, j, at);
      const std::uint64_t first = std::min(start(old), start(now));
      const RunState none;
      const bool has_old = start(old) == first;
      const bool has_now = start(now) == first;
      std::uint64_t last = std::min(has_old ? old.last : ~0ULL, has_now ? now.last : ~0ULL);
      // The other one begins in between.
      if (!has_old && old.level != 0) last = std::min(last, old.first - 1);
      if (!has_now && now.level != 0) last = std::min(last, now.first - 1);
      add({first, last, has_old ? old : none, has_now ? now : none});
      if (has_old && old.last == last) ++i;
      if (has_now && now.last == last) ++j;
      if (last == ~0ULL) break;
      at = last + 1;
    }
    send();
  }

 private:
  // What is left of a run from `at` on; level 0 when there is none.
  static RunState piece(const std::vector<RunState>& runs, std::size_t i, std::uint64_t at) {
    if (i >= runs.size()) return {};
    RunState run = runs[i];
    run.first = std::max(run.first, at);
    return run;
  }
  static std::uint64_t start(const RunState& run) { return run.level != 0 ? run.first : ~0ULL; }

  void add(const Change& change) {
    const bool same =
        change.before.level == change.after.level && change.before.access == change.after.access;
    if (open_ && !same && change.continues(*open_)) {
      open_->last = change.last;
      return;
    }
    send();
    if (!same) open_ = change;
  }

  void send() {
    if (!open_) return;
    for (const std::string_view word : words_of(open_->before, open_->after))
      vm_.add({.subject = "range",
               .name = fmt::format("{} {}", after_.name, after_.domain),
               .change = word,
               .level = open_->after.level != 0 ? open_->after.level : open_->before.level,
               .address = open_->first,
               .last = open_->last,
               .before = mapping_text(open_->before),
               .after = mapping_text(open_->after)});
    open_.reset();
  }

  const VmPair& vm_;
  const TreeState& before_;
  const TreeState& after_;
  std::optional<Change> open_;
};

}  // namespace

void compare_ranges(const VmPair& vm) {
  for (const auto& [key, before] : vm.before.trees)
    if (const auto after = vm.after.trees.find(key); after != vm.after.trees.end()) {
      if (before.complete && after->second.complete)
        Ranges(vm, before, after->second).compare();
      else
        vm.sink.note(
            fmt::format("what {} of VM {} maps is not compared: it changed while it was read",
                        after->second.name, vm.after.id));
    }
}

}  // namespace kvmscope::snapshots
