#include "commands/output/aligned_rows.hpp"

#include <algorithm>

#include "commands/output/escape.hpp"

namespace kvmscope {
namespace {

constexpr std::string_view gap = "  ";
constexpr std::string_view bold = "\x1b[1m";
constexpr std::string_view red = "\x1b[31m";
constexpr std::string_view reverse = "\x1b[7m";
constexpr std::string_view plain = "\x1b[0m";

}  // namespace

AlignedRows::AlignedRows(Output& out, std::vector<Align> aligns, bool color)
    : out_(out), aligns_(std::move(aligns)), color_(color), widths_(aligns_.size(), 0) {}

void AlignedRows::add(std::vector<std::string> cells, const std::vector<std::string>& before) {
  std::vector<bool> marked;
  for (std::size_t i = 0; i < before.size(); ++i) marked.push_back(cells[i] != before[i]);
  keep({std::move(cells), false, std::move(marked)});
}

void AlignedRows::add_header(std::vector<std::string> cells) {
  keep({std::move(cells), true});
}

void AlignedRows::keep(Row row) {
  for (std::string& cell : row.cells) cell = escape_text(cell);
  if (streaming_) return write(row);
  for (std::size_t i = 0; i < row.cells.size(); ++i)
    widths_[i] = std::max(widths_[i], display_width(row.cells[i]));
  kept_.push_back(std::move(row));
  if (kept_.size() > measured_rows) flush();
}

void AlignedRows::flush() {
  for (const Row& row : kept_) write(row);
  streaming_ = streaming_ || !kept_.empty();
  kept_.clear();
}

void AlignedRows::write(const Row& row) {
  std::string line;
  if (row.header && color_) line += bold;
  std::size_t pending = 0;  // blanks that are written only if something follows
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    const std::string& cell = row.cells[i];
    const std::size_t width = display_width(cell);
    const std::size_t padding = widths_[i] > width ? widths_[i] - width : 0;
    if (i != 0) pending += gap.size();
    if (aligns_[i] == Align::right) pending += padding;
    if (!cell.empty()) {
      line.append(pending, ' ');
      pending = 0;
      const bool lost = color_ && cell.starts_with("lost(");
      const bool marked = color_ && !row.marked.empty() && row.marked[i];
      if (lost) line += red;
      if (marked) line += reverse;
      line += cell;
      if (lost || marked) line += plain;
    }
    if (aligns_[i] == Align::left) pending += padding;
  }
  if (row.header && color_) line += plain;
  line += '\n';
  out_.write(line);
}

}  // namespace kvmscope
