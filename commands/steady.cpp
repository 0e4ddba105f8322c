#include "commands/steady.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "core/memory/settle.hpp"

namespace kvmscope {
namespace {

// One part: what its last attempt sent, and how that ended.
struct Part {
  Draft draft;
  std::optional<Error> lost;
  std::string change;  // what changed meanwhile; empty: nothing

  bool well() const { return change.empty() && !damaged(); }
  // With nothing changed meanwhile.
  bool damaged() const { return change.empty() && (lost || draft.damaged()); }
  // Whether an attempt came to the same damage as the one before it.
  bool same_as(const Part& other) const {
    const auto text = [](const Part& part) { return part.lost ? part.lost->what() : ""; };
    return draft == other.draft && std::string_view(text(*this)) == text(other);
  }
};

class Attempts {
 public:
  Attempts(const Kernel& kernel, RowSink& rows, const SteadyWork& work)
      : kernel_(kernel), rows_(rows), work_(work), parts_(work.count) {
    for (std::size_t i = 0; i < work.count; ++i) pending_.push_back(i);
  }

  std::size_t run() {
    for (unsigned attempt = 0; attempt < most_attempts && !pending_.empty(); ++attempt) {
      if (std::ranges::any_of(pending_, [&](std::size_t i) { return parts_[i].damaged(); }))
        give_time_to_finish(attempt);
      once();
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) send(i);
    return torn_;
  }

 private:
  // Makes what is pending, and keeps pending what did not go well.
  void once() {
    Recording recording(kernel_.steady());
    std::map<std::size_t, Part> before;
    for (const std::size_t i : pending_) {
      before.emplace(i, std::move(parts_[i]));
      parts_[i] = {};
      recording.part(i);
      parts_[i].lost = lost_in([&] { rows_.draft(parts_[i].draft, [&] { work_.make(i); }); });
    }
    for (const auto& [i, change] : recording.changes()) parts_[i].change = change;
    std::erase_if(pending_, [&](std::size_t i) { return parts_[i].well(); });
    // Damage counts as the kernel's own only if it stays as it is.
    for (const std::size_t i : pending_)
      if (tried_ > 0 && parts_[i].change.empty() && !parts_[i].same_as(before.at(i)))
        parts_[i].change = "it read differently each time";
    ++tried_;
  }

  void send(std::size_t i) {
    Part& part = parts_[i];
    if (part.lost && part.lost->kind() == ErrorKind::torn && part.change.empty())
      part.change = part.lost->what();
    const bool torn = !part.change.empty();
    torn_ += torn;
    const bool nothing = part.draft.empty();
    rows_.send(std::move(part.draft), part.change);
    if (part.lost && !torn) {
      rows_.note(fmt::format("{}: {}", work_.what(i), part.lost->what()));
      rows_.set_status(exit_status(part.lost->kind()));
    } else if (torn && (part.lost || nothing)) {
      rows_.set_torn(work_.what ? fmt::format("{}: it changed while it was read: {}", work_.what(i),
                                              part.change)
                                : "");
    }
  }

  const Kernel& kernel_;
  RowSink& rows_;
  const SteadyWork& work_;
  std::vector<Part> parts_;
  std::vector<std::size_t> pending_;
  unsigned tried_ = 0;
  std::size_t torn_ = 0;
};

}  // namespace

std::size_t steadily(const Kernel& kernel, RowSink& rows, const SteadyWork& work) {
  if (kernel.steady() != nullptr) return Attempts(kernel, rows, work).run();
  for (std::size_t i = 0; i < work.count; ++i)
    rows.attempt([&] { return work.what ? work.what(i) : ""; }, [&] { work.make(i); });
  return 0;
}

void settle_or_note(const Kernel& kernel, RowSink& rows, const std::string& what,
                    const std::function<void()>& body) {
  rows.attempt([&] { return what; },
               [&] {
                 const std::string change = settle(kernel.steady(), body);
                 if (!change.empty())
                   throw_error(ErrorKind::torn, "it changed while it was read: {}", change);
               });
}

}  // namespace kvmscope
