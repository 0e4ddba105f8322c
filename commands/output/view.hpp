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

// -f dot.
struct DotView {
  // Of a node, "\n" between lines. Without it a node shows all fields.
  std::function<std::string(const RecordView&)> label = {};
  // What a node stands for: records that have the same are one node, labelled as the first of them.
  // Empty, or without it: a node of its own.
  std::function<std::string(const RecordView&)> node = {};
  // Of the edge between a record and the one that it is nested in.
  std::function<std::string(const RecordView&)> edge = {};
  bool upwards = false;  // what is nested in a record points to it
};

// How a command looks to a person. All parts are optional: without `table` the
// record's own columns are shown.
struct View {
  std::vector<TableColumn> table = {};
  // Instead of a table: free text for one record, with line ends (unsync, print).
  std::function<std::string(const RecordView&)> block = {};
  // -f tree: the columns right of the branch; the first holds the branch and its text.
  std::vector<TableColumn> tree = {};
  DotView dot = {};
};

}  // namespace kvmscope
