// How a command's records look to a person: the columns of tables and trees, labels of graphs.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/output/record.hpp"

namespace kvmscope {

enum class Align { left, right };

// A column of the table form: a header and the text of a record's cell.
struct TableColumn {
  std::string_view header;
  Align align = Align::left;
  std::function<std::string(const RecordView&)> text;
};

// A column that shows one field of the record as it is.
TableColumn column(std::string_view header, std::string_view field, Align align = Align::left);
inline TableColumn number_column(std::string_view header, std::string_view field) {
  return column(header, field, Align::right);
}

// How a command looks to a person. All parts are optional: without `table` the
// record's own columns are shown.
struct View {
  std::vector<TableColumn> table = {};
  // Instead of a table: free text for one record, with line ends (unsync, print).
  std::function<std::string(const RecordView&)> block = {};
  // -f tree: the columns right of the branch; the first holds the branch and its text.
  std::vector<TableColumn> tree = {};
  // -f dot: the label of the node, "\n" between lines.
  std::function<std::string(const RecordView&)> dot_label = {};
};

}  // namespace kvmscope
