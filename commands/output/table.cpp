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

class Table : public Renderer {
 public:
  Table(const RenderJob& job, Output& out, Messages& messages)
      : Renderer(job, out, messages),
        cells_(select_cells(job, job.view != nullptr ? job.view->table : no_columns)),
        rows_(out, aligns_of(cells_), job.color) {}

  void record(Record record, std::optional<bool>) override {
    show_notes(record);
    const RecordView view = view_of(record);
    if (!any_ && job_.options.header) add_header();
    any_ = true;
    std::vector<std::string> texts;
    texts.reserve(cells_.size());
    for (const Cell& cell : cells_) texts.push_back(cell.text(view));
    rows_.add(std::move(texts));
  }

  void footer(const std::string& text) override {
    rows_.flush();
    out_.write(escape_text(text) + '\n');
  }

  void flush() override {
    rows_.flush();
    Renderer::flush();
  }

  void finish() override { rows_.flush(); }

 private:
  void add_header() {
    std::vector<std::string> headers;
    for (const Cell& cell : cells_) headers.push_back(cell.header);
    rows_.add_header(std::move(headers));
  }

  std::vector<Cell> cells_;
  AlignedRows rows_;
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
};

}  // namespace

RendererPtr make_table(const RenderJob& job, Output& out, Messages& messages) {
  if (job.view != nullptr && job.view->block && job.options.columns.empty())
    return std::make_unique<Blocks>(job, out, messages);
  return std::make_unique<Table>(job, out, messages);
}

}  // namespace kvmscope
