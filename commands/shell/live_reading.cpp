#include "commands/shell/live_reading.hpp"

#include "core/kernel/kernel.hpp"
#include "core/memory/steady.hpp"

namespace kvmscope {
namespace {

// While it lives, what is used of a kernel that runs goes to the recording.
class Reading {
 public:
  Reading(Session& session, Recording& recording) : session_(session) {
    session_.start_reading(&recording);
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() { session_.start_reading(nullptr); }

 private:
  Session& session_;
};

// In a tree the rule goes without saying.
std::string torn_only(const RecordView& record) {
  const std::string truth = record.text(truth_field);
  return truth == stable_text ? "" : truth;
}

}  // namespace

bool has_truth(Session& session, const Command& command) {
  // What the kernel tells (trace) is no memory that changes while it is read; what watch shows has
  // the truth of the command inside.
  return !command.columns.empty() && session.is_live() && !command.needs_root && !command.streams &&
         (command.needs == Needs::target || command.reads_target);
}

void add_truth(std::vector<Column>& columns, View& view) {
  columns.push_back(truth_column());
  if (!view.table.empty()) view.table.push_back(column("TRUTH", truth_field));
  if (!view.tree.empty()) view.tree.push_back({"TRUTH", Align::left, torn_only});
}

void run_reading(Session& session, const ParsedLine& parsed, RowSink& rows) {
  Recording recording;
  const Reading reading(session, recording);
  rows.set_live([&recording] {
    std::string change = recording.change();
    recording.forget(0);
    return change;
  });
  parsed.command->run(session, parsed.args, rows);
}

void check_kvm_is_there(Session& session) {
  if (!session.is_open()) return;
  const std::string changed = session.kernel().live()->changed();
  if (!changed.empty())
    throw_error(ErrorKind::unavailable, "{} while it was looked at: run the command again",
                changed);
}

}  // namespace kvmscope
