// -f table: aligned columns with a header, or a command's own text for each record.

#include "commands/output/aligned_rows.hpp"
#include "commands/output/escape.hpp"
#include "commands/output/make.hpp"
#include "commands/output/selection.hpp"

namespace kvmscope {
namespace {

const std::vector<TableColumn> no_columns;

std::vector<Align> aligns_of(const std::vector<Cell>& cells) {
  std::vector<Align> aligns;
  aligns.reserve(cells.size());
  for (const Cell& cell : cells) aligns.push_back(cell.align);
  return aligns;
}

// A long line is cut off, not wrapped: what comes below would move.
void start_screen(Output& out, const std::string& title) {
  out.write("\x1b[H\x1b[2J\x1b[?7l");
  out.write(escape_text(title) + "\n\n\x1b[?7h");
}

class Table : public Renderer {
 public:
  Table(const RenderJob& job, Output& out, Messages& messages)
      : Renderer(job, out, messages),
        cells_(select_cells(job, job.view != nullptr ? job.view->table : no_columns)),
        rows_(std::make_unique<AlignedRows>(out, aligns_of(cells_), job.color)) {}

  void record(Record record, std::optional<bool>) override {
    start_row(record);
    rows_->add(texts_of(record));
  }

  void changed_record(Record record, const Record& before) override {
    start_row(record);
    rows_->add(texts_of(record), texts_of(before));
  }

  void start_round(const std::string& title) override {
    if (!job_.screen) return;
    start_screen(out_, title);
    rows_ = std::make_unique<AlignedRows>(out_, aligns_of(cells_), job_.color);
    any_ = false;
  }

  void footer(const std::string& text) override {
    rows_->flush();
    out_.write(escape_text(text) + '\n');
  }

  void flush() override {
    rows_->flush();
    Renderer::flush();
  }

  void finish() override { rows_->flush(); }

 private:
  void start_row(const Record& record) {
    show_notes(record);
    if (!any_ && job_.options.header) add_header();
    any_ = true;
  }

  std::vector<std::string> texts_of(const Record& record) const {
    const RecordView view = view_of(record);
    std::vector<std::string> texts;
    texts.reserve(cells_.size());
    for (const Cell& cell : cells_) texts.push_back(cell.text(view));
    return texts;
  }

  void add_header() {
    std::vector<std::string> headers;
    for (const Cell& cell : cells_) headers.push_back(cell.header);
    rows_->add_header(std::move(headers));
  }

  std::vector<Cell> cells_;
  std::unique_ptr<AlignedRows> rows_;
  bool any_ = false;
};

class Blocks : public Renderer {
 public:
  using Renderer::Renderer;

  void record(Record record, std::optional<bool>) override {
    show_notes(record);
    std::string text = escape_text(job_.view->block(view_of(record)), "\n\t");
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    out_.write(text);
  }

  void footer(const std::string& text) override { out_.write(escape_text(text) + '\n'); }

  void start_round(const std::string& title) override {
    if (job_.screen) start_screen(out_, title);
  }
};

}  // namespace

RendererPtr make_table(const RenderJob& job, Output& out, Messages& messages) {
  if (job.view != nullptr && job.view->block && job.options.columns.empty())
    return std::make_unique<Blocks>(job, out, messages);
  return std::make_unique<Table>(job, out, messages);
}

}  // namespace kvmscope
