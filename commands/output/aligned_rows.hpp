// Rows of text in aligned columns: widths come from the first rows, then rows stream.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "commands/output/output.hpp"
#include "commands/output/view.hpp"

namespace kvmscope {

class AlignedRows {
 public:
  // How many rows are kept to find the widths. A wider cell that comes later moves its row only.
  static constexpr std::size_t measured_rows = 1000;

  AlignedRows(Output& out, std::vector<Align> aligns, bool color);

  // Cells of any bytes, one for each column; they are escaped here. `before`: another row of cells;
  // those that differ from it stand out.
  void add(std::vector<std::string> cells, const std::vector<std::string>& before = {});
  // The same, above the others and emphasized.
  void add_header(std::vector<std::string> cells);
  // Writes what is kept; the widths stay.
  void flush();

 private:
  struct Row {
    std::vector<std::string> cells;
    bool header = false;
    std::vector<bool> marked = {};  // empty: none
  };
  void keep(Row row);
  void write(const Row& row);

  Output& out_;
  std::vector<Align> aligns_;
  bool color_;
  std::vector<std::size_t> widths_;
  std::vector<Row> kept_;
  bool streaming_ = false;
};

}  // namespace kvmscope
