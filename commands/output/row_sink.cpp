#include "commands/output/row_sink.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "commands/output/renderer.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

int damage(const Record& record);

// Puts a draft in place, and the one before back however the scope is left.
class DraftScope {
 public:
  DraftScope(Draft*& place, Draft* draft) : place_(place), outer_(std::exchange(place, draft)) {}
  DraftScope(const DraftScope&) = delete;
  DraftScope& operator=(const DraftScope&) = delete;
  ~DraftScope() { place_ = outer_; }

 private:
  Draft*& place_;
  Draft* outer_;
};

// What one value says of the result: 5 for corrupt data, 4 for what could not be read.
int damage(const Value& value) {
  if (const auto* lost = std::get_if<Lost>(&value))
    return exit_status(lost->corrupt ? ErrorKind::corrupt : ErrorKind::fault);
  int status = 0;
  if (const auto* nested = std::get_if<Records>(&value))
    for (const Record& record : *nested) status = worse_status(status, damage(record));
  return status;
}

// A part that says of itself that the kernel changed it while it was read; empty: none.
std::string torn_in(const Record& record) {
  for (const Value& value : record.values)
    if (const auto* lost = std::get_if<Lost>(&value); lost != nullptr && lost->torn)
      return lost->reason;
  return "";
}

int damage(const Record& record) {
  int status = record.notes.empty() ? 0 : exit_status(ErrorKind::fault);
  for (const Value& value : record.values) status = worse_status(status, damage(value));
  return status;
}

}  // namespace

Column truth_column() {
  return {truth_field, ColumnKind::text,
          "stable: all of it was so at one moment; torn: the kernel changed it meanwhile"};
}

int worse_status(int a, int b) {
  constexpr std::array order = {130, 70, 2, 3, 5, 4, 1};
  const auto rank = [&](int status) { return std::find(order.begin(), order.end(), status); };
  return rank(a) < rank(b) ? a : b;
}

void RowSink::set_status(int status) {
  int& kept = draft_ != nullptr ? draft_->status_ : status_;
  kept = worse_status(kept, status);
}

void RowSink::add(Record record, std::optional<bool> last_sibling) {
  if (!ignores_interrupts_) check_interrupt();
  if (draft_ != nullptr) {
    set_status(damage(record));
    draft_->events_.emplace_back(Draft::Row{std::move(record), last_sibling});
    return;
  }
  deliver(std::move(record), last_sibling, changes_ ? changes_() : "");
}

void RowSink::add_checked(Record record, std::optional<bool> last_sibling,
                          const std::string& torn) {
  if (!ignores_interrupts_) check_interrupt();
  deliver(std::move(record), last_sibling, torn);
}

void RowSink::deliver(Record record, std::optional<bool> last_sibling, const std::string& torn) {
  std::string reason = torn.empty() ? torn_in(record) : torn;
  if (reason.empty()) set_status(damage(record));
  if (changes_) {
    record.values.emplace_back(std::string(reason.empty() ? stable_text : torn_text));
    torn_ = torn_ || !reason.empty();
    if (!reason.empty()) record.notes.push_back(std::move(reason));
  }
  check_size(record);
  renderer_.record(std::move(record), last_sibling);
}

void RowSink::check_size(const Record& record) const {
  if (record.values.size() != renderer_.job().columns.size())
    throw_error(ErrorKind::internal, "a record has {} values for {} columns", record.values.size(),
                renderer_.job().columns.size());
}

void RowSink::add_changed(Record record, const Record& before) {
  if (!ignores_interrupts_) check_interrupt();
  check_size(record);
  set_status(damage(record));
  renderer_.changed_record(std::move(record), before);
}

bool RowSink::on_screen() const {
  return renderer_.job().screen;
}

void RowSink::start_round(const std::string& title) {
  renderer_.start_round(title);
}

void RowSink::enter() {
  ++depth_;
  if (draft_ != nullptr)
    draft_->events_.emplace_back(Draft::Step::enter);
  else
    renderer_.enter();
}

void RowSink::leave() {
  if (depth_ == 0) throw Error(ErrorKind::internal, "a tree of records is left but not entered");
  --depth_;
  if (draft_ != nullptr)
    draft_->events_.emplace_back(Draft::Step::leave);
  else
    renderer_.leave();
}

void RowSink::note(const std::string& text) {
  if (draft_ != nullptr)
    draft_->events_.emplace_back(Draft::Note{text, false});
  else
    renderer_.note(text);
}

void RowSink::footer(const std::string& text) {
  if (draft_ != nullptr)
    draft_->events_.emplace_back(Draft::Note{text, true});
  else
    renderer_.footer(text);
}

void RowSink::set_torn(const std::string& text) {
  torn_ = true;
  if (!text.empty()) note(text);
}

void RowSink::flush() {
  renderer_.flush();
}

void RowSink::end(const Ending& ending) {
  renderer_.end(ending);
}

bool RowSink::attempt(const std::function<std::string()>& what, const std::function<void()>& body) {
  const unsigned depth = depth_;
  try {
    body();
    return true;
  } catch (const Error& error) {
    if (!is_about_data(error.kind())) throw;
    while (depth_ > depth) leave();
    const std::string text = fmt::format("{}: {}", what(), error.what());
    if (error.kind() == ErrorKind::torn) {
      set_torn(text);
    } else {
      note(text);
      set_status(exit_status(error.kind()));
    }
    return false;
  }
}

void RowSink::draft(Draft& draft, const std::function<void()>& body) {
  const DraftScope scope(draft_, &draft);
  body();
}

void RowSink::send(Draft draft, const std::string& torn) {
  if (torn.empty()) set_status(draft.status_);
  for (auto& event : draft.events_) {
    if (auto* row = std::get_if<Draft::Row>(&event))
      deliver(std::move(row->record), row->last_sibling, torn);
    else if (const auto* note = std::get_if<Draft::Note>(&event))
      note->is_footer ? renderer_.footer(note->text) : renderer_.note(note->text);
    else
      std::get<Draft::Step>(event) == Draft::Step::enter ? renderer_.enter() : renderer_.leave();
  }
}

}  // namespace kvmscope
