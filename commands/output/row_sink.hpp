// Where a command's records go: collects notes and the exit status on the way to a renderer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "commands/output/record.hpp"
#include "core/base/error.hpp"

namespace kvmscope {

class Renderer;
struct Ending;

class RowSink {
 public:
  explicit RowSink(Renderer& renderer) : renderer_(renderer) {}

  // Sends a record; a Lost value or a note in it makes the status 4 at least. `last_sibling`:
  // whether no record of this depth follows before the next leave(); without it a tree draws a
  // parent as if one did. Throws Error{interrupted} after Ctrl-C.
  void add(Record record, std::optional<bool> last_sibling = std::nullopt);
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
  // (4 or 5), and the caller goes on, at the depth it was; other errors pass. Returns whether it
  // went well.
  bool attempt(const std::function<std::string()>& what, const std::function<void()>& body);
  // Makes the exit status one that the result deserves (1, 4, 5).
  void set_status(int status);
  int status() const { return status_; }

 private:
  void check(const Record& record);

  Renderer& renderer_;
  int status_ = 0;
  unsigned depth_ = 0;
  bool ignores_interrupts_ = false;
};

// Which of two statuses is told: the first of 130 70 2 3 5 4 1 0.
int worse_status(int a, int b);

}  // namespace kvmscope
