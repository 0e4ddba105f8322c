// -f tree: records nested with branches, one line each, columns aligned.

#include "commands/output/aligned_rows.hpp"
#include "commands/output/escape.hpp"
#include "commands/output/make.hpp"
#include "commands/output/selection.hpp"

namespace kvmscope {
namespace {

const std::vector<TableColumn> no_columns;

// A command without a form for trees: its table, with the branch in the first column.
const std::vector<TableColumn>& columns_of(const RenderJob& job) {
  if (job.view == nullptr) return no_columns;
  return job.view->tree.empty() ? job.view->table : job.view->tree;
}

// The cells of the line: -o chooses those right of the branch.
std::vector<Cell> cells_of(const RenderJob& job) {
  const std::vector<TableColumn>& columns = columns_of(job);
  std::vector<Cell> cells = select_cells(job, columns);
  const bool replaced = !job.options.columns.empty() && !job.options.columns.starts_with('+');
  if (replaced && !columns.empty())
    cells.insert(cells.begin(),
                 Cell{std::string(columns.front().header), Align::left, columns.front().text});
  return cells;
}

std::vector<Align> aligns_of(const std::vector<Cell>& cells) {
  std::vector<Align> aligns;
  aligns.reserve(cells.size());
  for (const Cell& cell : cells) aligns.push_back(cell.align);
  if (!aligns.empty()) aligns.front() = Align::left;
  return aligns;
}

// Holds one record, until it is known whether a sibling follows, and the open parents.
class Tree : public Renderer {
 public:
  Tree(const RenderJob& job, Output& out, Messages& messages)
      : Renderer(job, out, messages),
        cells_(cells_of(job)),
        rows_(out, aligns_of(cells_), job.color) {}

  void record(Record record, std::optional<bool> last_sibling) override {
    show_notes(record);
    settle(false);
    const RecordView view = view_of(record);
    waiting_.reserve(cells_.size());
    for (const Cell& cell : cells_) waiting_.push_back(cell.text(view));
    last_ = false;
    // Nothing branches off above the first level.
    if (last_sibling || parents_.empty()) settle(last_sibling.value_or(false));
  }

  // Without a hint, a parent is drawn as if a sibling followed.
  void enter() override {
    settle(false);
    parents_.push_back(last_);
  }

  void leave() override {
    settle(true);
    last_ = parents_.back();
    parents_.pop_back();
  }

  void footer(const std::string& text) override {
    finish();
    out_.write(escape_text(text) + '\n');
  }

  void finish() override {
    settle(true);
    rows_.flush();
  }

 private:
  // Writes the record that waits, if any.
  void settle(bool last) {
    if (waiting_.empty()) return;
    last_ = last;
    waiting_.front().insert(0, branch(last));
    rows_.add(std::move(waiting_));
    waiting_.clear();
  }

  std::string branch(bool last) const {
    if (parents_.empty()) return "";
    std::string text;
    for (std::size_t depth = 1; depth < parents_.size(); ++depth)
      text += parents_[depth] ? "   " : "│  ";
    return text + (last ? "└─ " : "├─ ");
  }

  std::vector<Cell> cells_;
  AlignedRows rows_;
  std::vector<std::string> waiting_;  // cells of the record that waits; empty: none does
  bool last_ = false;                 // the record written last was the last of its siblings
  std::vector<bool> parents_;         // the same for each open parent, from the top
};

}  // namespace

RendererPtr make_tree(const RenderJob& job, Output& out, Messages& messages) {
  return std::make_unique<Tree>(job, out, messages);
}

}  // namespace kvmscope
