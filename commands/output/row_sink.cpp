#include "commands/output/row_sink.hpp"

#include <algorithm>
#include <array>

#include "commands/output/renderer.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

int damage(const Record& record);

// What one value says of the result: 5 for corrupt data, 4 for what could not be read.
int damage(const Value& value) {
  if (const auto* lost = std::get_if<Lost>(&value))
    return exit_status(lost->corrupt ? ErrorKind::corrupt : ErrorKind::fault);
  int status = 0;
  if (const auto* nested = std::get_if<Records>(&value))
    for (const Record& record : *nested) status = worse_status(status, damage(record));
  return status;
}

int damage(const Record& record) {
  int status = record.notes.empty() ? 0 : exit_status(ErrorKind::fault);
  for (const Value& value : record.values) status = worse_status(status, damage(value));
  return status;
}

}  // namespace

int worse_status(int a, int b) {
  constexpr std::array order = {130, 70, 2, 3, 5, 4, 1};
  const auto rank = [&](int status) { return std::find(order.begin(), order.end(), status); };
  return rank(a) < rank(b) ? a : b;
}

void RowSink::set_status(int status) {
  status_ = worse_status(status_, status);
}

void RowSink::check(const Record& record) {
  if (!ignores_interrupts_) check_interrupt();
  if (record.values.size() != renderer_.job().columns.size())
    throw_error(ErrorKind::internal, "a record has {} values for {} columns", record.values.size(),
                renderer_.job().columns.size());
  set_status(damage(record));
}

void RowSink::add(Record record, std::optional<bool> last_sibling) {
  check(record);
  renderer_.record(std::move(record), last_sibling);
}

void RowSink::add_changed(Record record, const Record& before) {
  check(record);
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
  renderer_.enter();
}

void RowSink::leave() {
  if (depth_ == 0) throw Error(ErrorKind::internal, "a tree of records is left but not entered");
  --depth_;
  renderer_.leave();
}

void RowSink::note(const std::string& text) {
  renderer_.note(text);
}

void RowSink::footer(const std::string& text) {
  renderer_.footer(text);
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
    if (error.kind() != ErrorKind::fault && error.kind() != ErrorKind::corrupt) throw;
    while (depth_ > depth) leave();
    note(fmt::format("{}: {}", what(), error.what()));
    set_status(exit_status(error.kind()));
    return false;
  }
}

}  // namespace kvmscope
