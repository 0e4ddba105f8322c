// -o and --sort: which fields or columns a user means by a name.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/output/renderer.hpp"

namespace kvmscope {

// A column of text, ready to show.
struct Cell {
  std::string header;
  Align align = Align::left;
  std::function<std::string(const RecordView&)> text;
};

// The cells of a table or tree: -o, or `defaults`, or every field when that is empty. A name is
// a header of `defaults` or a field, in any case. Throws Error{usage} that lists the fields.
std::vector<Cell> select_cells(const RenderJob& job, const std::vector<TableColumn>& defaults);

// The fields for the formats that have no headers of their own, as places in job.columns.
// "+name" adds nothing here: all fields are shown without -o.
std::vector<std::size_t> select_fields(const RenderJob& job);

// What --sort means, ready to compare two records.
struct SortKey {
  std::function<bool(const Record& a, const Record& b)> less;
};
SortKey find_sort_key(const RenderJob& job);

// Whether the names are the same in any case ("SP", "sp").
bool same_name(std::string_view a, std::string_view b);

// "gfn 9" before "gfn 10": numbers in a text count as numbers.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace kvmscope
