// What is different about a command on a kernel that runs: its records have a truth, its reads a
// limit.
#pragma once

#include "commands/output/row_sink.hpp"
#include "commands/shell/arguments.hpp"
#include "commands/shell/session.hpp"
#include "core/memory/steady.hpp"

namespace kvmscope {

// Whether the records of this command are about memory of a kernel that runs.
bool has_truth(Session& session, const Command& command);
// Puts the field `truth` behind the command's own, in every form.
void add_truth(std::vector<Column>& columns, View& view);

// While it lives, what is used of a kernel that runs is recorded, and limits count from when it was
// made. In a dump it does nothing.
class LiveReading {
 public:
  explicit LiveReading(Session& session);
  LiveReading(const LiveReading&) = delete;
  LiveReading& operator=(const LiveReading&) = delete;
  ~LiveReading();

  // Gives the records that go there their truth: what was used since the one before is their own.
  void give_truth(RowSink& rows);

 private:
  Session& session_;
  Recording recording_;
};

// Runs a command whose records have a truth. What it reads outside of any inner recording belongs
// to the record that it sends next.
void run_reading(Session& session, const ParsedLine& parsed, RowSink& rows);
// For when that did not go well. Throws Error{unavailable} when kvm was unloaded or loaded
// meanwhile: where it was other things lie, and what they look like is not the user's concern.
void check_kvm_is_there(Session& session);

}  // namespace kvmscope
