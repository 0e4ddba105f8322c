// --drgn: instead of the records, what drgn and crash get at their objects with, in any format.

#include <algorithm>

#include "commands/output/make.hpp"
#include "commands/output/objects.hpp"
#include "commands/output/row_sink.hpp"

namespace kvmscope {
namespace {

const std::vector<Column>& object_columns() {
  using K = ColumnKind;
  static const std::vector<Column> columns = {
      {"record", K::count, "number of the record that names it, from 0"},
      {"field", K::text, "that holds its address"},
      {"type", K::text, "its C type; null: memory at a physical address"},
      {"address", K::hex, "where it lies"},
      {"drgn", K::text, "what to type in drgn"},
      {"crash", K::text, "what to type in crash, after `mod -S`"}};
  return columns;
}

const View& object_view() {
  static const View view = {.table = {number_column("RECORD", "record"), column("FIELD", "field"),
                                      column("DRGN", "drgn"), column("CRASH", "crash")}};
  return view;
}

bool has_truth(const RenderJob& job) {
  return std::ranges::any_of(job.columns,
                             [](const Column& column) { return column.name == truth_field; });
}

// With the truth of the record that names the object, where records have one.
std::vector<Column> columns_for(const RenderJob& job) {
  std::vector<Column> columns = object_columns();
  if (has_truth(job)) columns.push_back(truth_column());
  return columns;
}

RenderJob object_job(const RenderJob& job, std::span<const Column> columns) {
  RenderJob objects = job;
  objects.columns = columns;
  objects.view = &object_view();
  objects.options.drgn = false;
  return objects;
}

class Objects : public Renderer {
 public:
  Objects(const RenderJob& job, Output& out, Messages& messages)
      : Renderer(job, out, messages),
        columns_(columns_for(job)),
        renderer_(make_renderer(object_job(job, columns_), out, messages)) {}

  void record(Record record, std::optional<bool>) override {
    std::vector<std::string> notes = std::move(record.notes);
    find_objects(job_.columns, record, [&](NamedObject object) {
      Value type = object.type.empty() ? Value{} : Value{object.type};
      Record row{{count_, object.field, std::move(type), object.address, drgn_expression(object),
                  crash_command(object)}};
      any_ = true;
      if (has_truth(job_)) row.values.push_back(view_of(record)[truth_field]);
      row.notes = std::exchange(notes, {});
      renderer_->record(std::move(row), std::nullopt);
    });
    for (const std::string& note : notes) renderer_->note(note);
    ++count_;
  }

  void note(const std::string& text) override { renderer_->note(text); }
  void flush() override { renderer_->flush(); }
  void end(const Ending& ending) override { renderer_->end(ending); }
  void start_round(const std::string& title) override {
    count_ = 0;
    renderer_->start_round(title);
  }
  void failure(const std::string& text) override { renderer_->failure(text); }
  void truth(const std::string& text) override { renderer_->truth(text); }
  void finish() override {
    if (count_ > 0 && !any_) renderer_->note("no object of the kernel is in these records");
    renderer_->finish();
  }

 private:
  std::vector<Column> columns_;
  RendererPtr renderer_;
  std::uint64_t count_ = 0;
  bool any_ = false;
};

}  // namespace

RendererPtr make_objects(const RenderJob& job, Output& out, Messages& messages) {
  if (!can_name_objects(job.columns))
    throw_error(ErrorKind::usage,
                "--drgn: these records name no object of the kernel; those of `vms`, `roots`, "
                "`pages`, `tree` and `print`, for example, do");
  return std::make_unique<Objects>(job, out, messages);
}

}  // namespace kvmscope
