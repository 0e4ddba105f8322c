#include "commands/snapshot/section.hpp"

#include <utility>

#include "commands/output/renderer.hpp"
#include "commands/shell/caught.hpp"
#include "commands/shell/collect.hpp"

namespace kvmscope::snapshots {
namespace {

// Gives each record away without the fields that only tables show.
class Taker final : public Renderer {
 public:
  using Take = std::function<void(Record, const std::vector<Column>&)>;

  Taker(const RenderJob& job, Output& nowhere, Messages& messages, const Take& take)
      : Renderer(job, nowhere, messages), take_(take) {
    for (std::size_t i = 0; i < job.columns.size(); ++i) {
      if (job.columns[i].form_only) continue;
      kept_.push_back(i);
      columns_.push_back(job.columns[i]);
    }
  }

  void record(Record record, std::optional<bool>) override {
    Record kept{.values = {}, .notes = std::move(record.notes)};
    kept.values.reserve(kept_.size());
    for (const std::size_t i : kept_) kept.values.push_back(std::move(record.values[i]));
    take_(std::move(kept), columns_);
  }
  void note(const std::string& text) override { notes.push_back(text); }

  std::vector<std::string> notes;

 private:
  const Take& take_;
  std::vector<std::size_t> kept_;
  std::vector<Column> columns_;
};

// What ends the whole snapshot, and not only a part of it.
bool ends_all(ErrorKind kind) {
  return kind == ErrorKind::interrupted || kind == ErrorKind::internal ||
         kind == ErrorKind::unavailable;
}

}  // namespace

bool Sections::run(std::string_view key, std::vector<Column> columns, const Take& take,
                   const std::function<void(RowSink&)>& body) {
  if (limit_reached_) {
    incomplete_.emplace_back(key);
    return false;
  }
  if (session_.is_live()) columns.push_back(truth_column());
  RenderJob job;
  job.columns = columns;
  Output nowhere;
  Taker taker(job, nowhere, session_.console().messages, take);
  RowSink rows(taker);
  reading_.give_truth(rows);
  const std::optional<Error> failure = caught([&] { body(rows); });
  if (failure && ends_all(failure->kind())) throw Error(*failure);
  end(key, failure, rows, taker.notes);
  return !failure;
}

void Sections::end(std::string_view key, const std::optional<Error>& failure, const RowSink& rows,
                   const std::vector<std::string>& notes) {
  for (const std::string& note : notes) outcome_.notes.push_back(fmt::format("{}: {}", key, note));
  outcome_.status = worse_status(outcome_.status, rows.status());
  outcome_.torn = outcome_.torn || rows.torn();
  if (failure) {
    outcome_.notes.push_back(fmt::format("{}: {}", key, failure->what()));
    outcome_.status = worse_status(outcome_.status, exit_status(ErrorKind::fault));
    limit_reached_ = failure->kind() == ErrorKind::limit;
  }
  const bool damaged = rows.status() != 0 || rows.torn();
  if (failure || (damaged && !notes.empty())) incomplete_.emplace_back(key);
}

void Sections::list(std::string_view key, const std::vector<Column>& columns,
                    const std::function<void(RowSink&)>& body) {
  const std::size_t depth = document_.depth();
  document_.list(key);
  run(
      key, columns,
      [&](const Record& record, const std::vector<Column>& kept) {
        document_.record({}, record, kept);
      },
      body);
  document_.end_to(depth);
}

void Sections::records(std::string_view key, const std::string& line, const Take& take) {
  const ParsedLine parsed = parse_inner_line(session_, line, {});
  run(key, parsed.command->columns, take,
      [&](RowSink& rows) { parsed.command->run(session_, parsed.args, rows); });
}

bool Sections::quietly(std::string_view key, const std::function<void(RowSink&)>& body) {
  return run(
      key, {}, [](const Record&, const std::vector<Column>&) {}, body);
}

void Sections::list_of(std::string_view key, const std::string& line) {
  const ParsedLine parsed = parse_inner_line(session_, line, {});
  list(key, parsed.command->columns,
       [&](RowSink& rows) { parsed.command->run(session_, parsed.args, rows); });
}

Words Sections::take_incomplete() {
  return std::exchange(incomplete_, {});
}

}  // namespace kvmscope::snapshots
