#include "commands/output/selection.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/ranges.h>

#include "commands/output/json_text.hpp"

namespace kvmscope {
namespace {

constexpr std::string_view all_fields = "all";

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> names;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    if (!name.empty()) names.push_back(name);
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
  }
  return names;
}

std::optional<std::size_t> find_field(const RenderJob& job, std::string_view name) {
  for (std::size_t i = 0; i < job.columns.size(); ++i)
    if (!job.columns[i].form_only && same_name(job.columns[i].name, name)) return i;
  return std::nullopt;
}

[[noreturn]] void no_such_field(const RenderJob& job, std::string_view option,
                                std::string_view name) {
  std::vector<std::string_view> fields;
  for (const Column& column : job.columns)
    if (!column.form_only) fields.push_back(column.name);
  throw_error(ErrorKind::usage, "{}: no field '{}'; there are: {}", option, name,
              fmt::join(fields, ", "));
}

Cell cell_of(const Column& column) {
  const bool is_number = column.kind == ColumnKind::count || column.kind == ColumnKind::number;
  std::string header(column.name);
  std::transform(header.begin(), header.end(), header.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return {std::move(header), is_number ? Align::right : Align::left,
          [name = column.name](const RecordView& record) { return record.text(name); }};
}

Cell cell_of(const TableColumn& column) {
  return {std::string(column.header), column.align, column.text};
}

Cell find_cell(const RenderJob& job, const std::vector<TableColumn>& known, std::string_view name) {
  for (const TableColumn& column : known)
    if (same_name(column.header, name)) return cell_of(column);
  const std::optional<std::size_t> field = find_field(job, name);
  if (!field) no_such_field(job, "-o", name);
  return cell_of(job.columns[*field]);
}

// Numbers before texts before lists before what is not known.
int rank(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return 3;
  if (std::holds_alternative<Lost>(value)) return 4;
  if (std::holds_alternative<std::string>(value)) return 1;
  return std::holds_alternative<Words>(value) || std::holds_alternative<Records>(value) ? 2 : 0;
}

// A number that compares as its value does, over all kinds of number.
__int128 number_of(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const auto* count = std::get_if<std::uint64_t>(&value)) return *count;
  if (const auto* hex = std::get_if<Hex>(&value)) return hex->value;
  return 0;
}

// -1, 0 or 1; what is not known counts as equal.
int compare(const Value& a, const Value& b) {
  if (rank(a) == 0) return number_of(a) < number_of(b) ? -1 : number_of(a) > number_of(b);
  if (rank(a) > 2) return 0;
  const std::string left = value_text(a);
  const std::string right = value_text(b);
  return natural_less(left, right) ? -1 : natural_less(right, left);
}

// What is not known comes last in both directions.
bool value_less(const Value& a, const Value& b, bool descending) {
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  return descending ? compare(a, b) > 0 : compare(a, b) < 0;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool natural_less(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
      continue;
    }
    while (i + 1 < a.size() && a[i] == '0' && is_digit(a[i + 1])) ++i;
    while (j + 1 < b.size() && b[j] == '0' && is_digit(b[j + 1])) ++j;
    const auto digits = [](std::string_view text, std::size_t at) {
      std::size_t end = at;
      while (end < text.size() && is_digit(text[end])) ++end;
      return text.substr(at, end - at);
    };
    const std::string_view left = digits(a, i);
    const std::string_view right = digits(b, j);
    if (left.size() != right.size()) return left.size() < right.size();
    if (left != right) return left < right;
    i += left.size();
    j += right.size();
  }
  return a.size() - i < b.size() - j;
}

std::vector<Cell> select_cells(const RenderJob& job, const std::vector<TableColumn>& defaults) {
  std::vector<Cell> cells;
  const auto add_all = [&] {
    for (const Column& column : job.columns)
      if (!column.form_only) cells.push_back(cell_of(column));
  };
  std::string_view list = job.options.columns;
  const bool adds = list.starts_with('+');
  if (adds) list.remove_prefix(1);
  if (list.empty() || adds) {
    if (defaults.empty()) add_all();
    for (const TableColumn& column : defaults) cells.push_back(cell_of(column));
  }
  for (const std::string_view name : split(list)) {
    if (same_name(name, all_fields))
      add_all();
    else
      cells.push_back(find_cell(job, defaults, name));
  }
  return cells;
}

std::vector<std::size_t> select_fields(const RenderJob& job) {
  std::vector<std::size_t> fields;
  const auto add_all = [&] {
    for (std::size_t i = 0; i < job.columns.size(); ++i)
      if (!job.columns[i].form_only) fields.push_back(i);
  };
  std::string_view list = job.options.columns;
  const bool adds = list.starts_with('+');
  if (adds) list.remove_prefix(1);
  if (list.empty() || adds) add_all();
  for (const std::string_view name : split(list)) {
    if (same_name(name, all_fields)) {
      add_all();
      continue;
    }
    const std::optional<std::size_t> field = find_field(job, name);
    if (!field) no_such_field(job, "-o", name);
    fields.push_back(*field);
  }
  // A key must not come twice in a JSON object.
  std::vector<std::size_t> unique;
  for (const std::size_t field : fields)
    if (std::find(unique.begin(), unique.end(), field) == unique.end()) unique.push_back(field);
  return unique;
}

SortKey find_sort_key(const RenderJob& job) {
  std::string_view name = job.options.sort;
  bool descending = false;
  if (name.starts_with('-')) {
    descending = true;
    name.remove_prefix(1);
  }
  if (name.ends_with(":desc")) {
    descending = true;
    name.remove_suffix(5);
  } else if (name.ends_with(":asc")) {
    name.remove_suffix(4);
  }
  if (const std::optional<std::size_t> field = find_field(job, name))
    return {[field = *field, descending](const Record& a, const Record& b) {
      return value_less(a.values[field], b.values[field], descending);
    }};
  if (job.view != nullptr)
    for (const TableColumn& column : job.view->table)
      if (same_name(column.header, name))
        return {[text = column.text, columns = job.columns, descending](const Record& a,
                                                                        const Record& b) {
          return value_less(text({columns, a}), text({columns, b}), descending);
        }};
  no_such_field(job, "--sort", name);
}

}  // namespace kvmscope
