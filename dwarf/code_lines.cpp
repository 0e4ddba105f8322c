#include "dwarf/code_lines.hpp"

#include <functional>
#include <span>

#include <fmt/format.h>

#include "core/base/interrupt.hpp"

namespace kvmscope::dwarf {
namespace {

struct Row {
  const char* file;
  unsigned line;
  std::uint64_t address;
};

// Whether the unit has code of the file. A unit without a line table has none.
bool has_file(Die& unit, std::string_view file) {
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  if (dwarf_getsrcfiles(&unit, &files, &count) != 0) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const char* path = dwarf_filesrc(files, i, nullptr, nullptr);
    if (path != nullptr && is_file(path, file)) return true;
  }
  return false;
}

void each_statement_of(Die& unit, std::string_view file,
                       const std::function<void(const Row&)>& row) {
  Dwarf_Lines* lines = nullptr;
  std::size_t count = 0;
  if (!has_file(unit, file) || dwarf_getsrclines(&unit, &lines, &count) != 0) return;
  // The same path is the same text in memory: compare it once.
  const char* last_path = nullptr;
  bool last_fits = false;
  for (std::size_t i = 0; i < count; ++i) {
    Dwarf_Line* line = dwarf_onesrcline(lines, i);
    bool begins = false, ends = false;
    int number = 0;
    Dwarf_Addr address = 0;
    if (line == nullptr || dwarf_linebeginstatement(line, &begins) != 0 || !begins ||
        dwarf_lineendsequence(line, &ends) != 0 || ends || dwarf_lineno(line, &number) != 0 ||
        number <= 0 || dwarf_lineaddr(line, &address) != 0)
      continue;
    const char* path = dwarf_linesrc(line, nullptr, nullptr);
    if (path == nullptr) continue;
    if (path != last_path) last_fits = is_file(path, file);
    last_path = path;
    if (last_fits) row({path, static_cast<unsigned>(number), address});
  }
}

void each_statement(Dwarf* dwarf, std::string_view file,
                    const std::function<void(const Row&)>& row) {
  Dwarf_CU* at = nullptr;
  Die unit;
  while (dwarf_get_units(dwarf, at, &at, nullptr, nullptr, &unit, nullptr) == 0) {
    check_interrupt();
    each_statement_of(unit, file, row);
  }
}

}  // namespace

bool is_file(std::string_view path, std::string_view file) {
  if (file.empty() || !path.ends_with(file)) return false;
  return path.size() == file.size() || path[path.size() - file.size() - 1] == '/';
}

std::vector<Statement> statements(Dwarf* dwarf, std::string_view file, unsigned line) {
  std::set<Statement> found;
  each_statement(dwarf, file, [&](const Row& row) {
    if (row.line == line) found.insert({row.file, row.address});
  });
  return {found.begin(), found.end()};
}

std::set<unsigned> lines_of(Dwarf* dwarf, std::string_view file) {
  std::set<unsigned> lines;
  each_statement(dwarf, file, [&](const Row& row) { lines.insert(row.line); });
  return lines;
}

std::string line_at(const Die& unit, std::uint64_t address) {
  Die die = unit;
  Dwarf_Line* line = dwarf_getsrc_die(&die, address);
  int number = 0;
  if (line == nullptr || dwarf_lineno(line, &number) != 0) return {};
  const char* path = dwarf_linesrc(line, nullptr, nullptr);
  return path != nullptr ? fmt::format("{}:{}", path, number) : std::string();
}

}  // namespace kvmscope::dwarf
