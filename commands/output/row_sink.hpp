// Where a command's records go: collects notes and the exit status on the way to a renderer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "commands/output/record.hpp"
#include "core/base/error.hpp"

namespace kvmscope {

class Renderer;
struct Ending;

// The field that every record about a kernel that runs has behind the command's own.
inline constexpr std::string_view truth_field = "truth";
inline constexpr std::string_view stable_text = "stable";
inline constexpr std::string_view torn_text = "torn";
Column truth_column();

// What a piece of a command sent, kept until it is known how true it is.
class Draft {
 public:
  bool empty() const { return events_.empty(); }
  // Whether something in it could not be read or made no sense.
  bool damaged() const { return status_ != 0; }
  bool operator==(const Draft&) const = default;

 private:
  friend class RowSink;
  struct Row {
    Record record;
    std::optional<bool> last_sibling;
    bool operator==(const Row&) const = default;
  };
  struct Note {
    std::string text;
    bool is_footer = false;
    bool operator==(const Note&) const = default;
  };
  enum class Step { enter, leave };
  std::vector<std::variant<Row, Note, Step>> events_;
  int status_ = 0;
};

class RowSink {
 public:
  explicit RowSink(Renderer& renderer) : renderer_(renderer) {}

  // From now on records are about a kernel that runs: each gets a truth. `changes` says what of
  // that which was read since it was asked last reads differently now; empty: nothing.
  void set_live(std::function<std::string()> changes) { changes_ = std::move(changes); }

  // Sends a record; a Lost value or a note in it makes the status 4 at least. `last_sibling`:
  // whether no record of this depth follows before the next leave(); without it a tree draws a
  // parent as if one did. Throws Error{interrupted} after Ctrl-C.
  void add(Record record, std::optional<bool> last_sibling = std::nullopt);
  // The same for a record whose truth the caller knows: `torn` says what changed, empty: nothing.
  void add_checked(Record record, std::optional<bool> last_sibling, const std::string& torn);
  // Around the records that are children of the one added last (tree, dot).
  void enter();
  void leave();
  // A remark to the whole result: standard error for table, csv, json; inside a report.
  void note(const std::string& text);
  // A line under the table (totals); other formats leave it out.
  void footer(const std::string& text);
  // For a command that looks at the flag itself: add() does not end it half way.
  void ignore_interrupts(bool ignore) { ignores_interrupts_ = ignore; }
  // What came so far leaves now: for a command that shows events while they happen.
  void flush();
  // The last thing that such a command says.
  void end(const Ending& ending);
  // Around the records of a command that says the same thing again and again: the title stands on
  // a screen above them. flush() ends the round.
  void start_round(const std::string& title);
  // Whether a round replaces the one before it.
  bool on_screen() const;
  // As add(): a record that was `before` in the round before.
  void add_changed(Record record, const Record& before);
  // Runs `body`. A fault or corrupt data becomes a note with `what` before it and sets the status
  // (4 or 5), and the caller goes on, at the depth it was; other errors pass. What the running
  // kernel changed meanwhile makes the result torn instead. Returns whether it went well.
  bool attempt(const std::function<std::string()>& what, const std::function<void()>& body);
  // Makes the exit status one that the result deserves (1, 4, 5).
  void set_status(int status);
  int status() const { return status_; }
  // Whether something could not be read so far.
  bool damaged() const { return draft_ != nullptr ? draft_->damaged() : status_ != 0; }

  // The result as a whole is not what was there at one moment. A note says so in words, if there
  // are any: "VMs may be missing".
  void set_torn(const std::string& text);
  // Whether it is, or some record.
  bool torn() const { return torn_; }

  // Runs `body`; what it sends goes to the draft.
  void draft(Draft& draft, const std::function<void()>& body);
  // Sends what is in the draft. `torn` says what changed while it was made; empty: nothing.
  void send(Draft draft, const std::string& torn);

 private:
  void deliver(Record record, std::optional<bool> last_sibling, const std::string& torn);
  void check_size(const Record& record) const;

  Renderer& renderer_;
  std::function<std::string()> changes_;  // set: the kernel runs
  Draft* draft_ = nullptr;                // set: nothing is sent
  int status_ = 0;
  bool torn_ = false;
  unsigned depth_ = 0;
  bool ignores_interrupts_ = false;
};

// Which of two statuses is told: the first of 130 70 2 3 5 4 1 0.
int worse_status(int a, int b);

}  // namespace kvmscope
