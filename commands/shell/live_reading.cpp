#include "commands/shell/live_reading.hpp"

#include "core/kernel/kernel.hpp"

namespace kvmscope {
namespace {

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

LiveReading::LiveReading(Session& session) : session_(session) {
  session_.start_reading(&recording_);
}

LiveReading::~LiveReading() {
  session_.start_reading(nullptr);
}

void LiveReading::give_truth(RowSink& rows) {
  if (!session_.is_live()) return;
  rows.set_live([this] {
    std::string change = recording_.change();
    recording_.forget(0);
    return change;
  });
}

void run_reading(Session& session, const ParsedLine& parsed, RowSink& rows) {
  LiveReading reading(session);
  reading.give_truth(rows);
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
