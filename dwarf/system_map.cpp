#include "dwarf/system_map.hpp"

#include <algorithm>
#include <charconv>

#include "core/base/error.hpp"

namespace kvmscope::dwarf {
namespace {

constexpr std::size_t address_digits = 16;
constexpr std::size_t longest_line = 512;            // KSYM_NAME_LEN and the address
constexpr std::size_t name_at = address_digits + 3;  // after "ADDRESS T "

std::optional<Symbol> parse(std::string_view line) {
  if (line.size() <= name_at || line[address_digits] != ' ' || line[name_at - 1] != ' ')
    return std::nullopt;
  Symbol symbol;
  const char* end = line.data() + address_digits;
  if (std::from_chars(line.data(), end, symbol.address, 16).ptr != end) return std::nullopt;
  symbol.type = line[address_digits + 1];
  symbol.name = line.substr(name_at);
  if (symbol.name.find_first_of(" \t") != std::string::npos) return std::nullopt;
  return symbol;
}

// Calls `visit(line)` for each line until it returns false.
template <typename Visit>
void for_each_line(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (!visit(text.substr(0, end))) return;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

bool is_system_map(const std::string& path, OpenLog* log) {
  const MappedFile file(path, log);
  bool matches = false;
  for_each_line(as_text(file.bytes()).substr(0, longest_line), [&](std::string_view line) {
    matches = parse(line).has_value();
    return false;
  });
  return matches;
}

SystemMap::SystemMap(const std::string& path, OpenLog* log)
    : file_(path, log), text_(as_text(file_.bytes())) {
  if (!is_system_map(path, log))
    throw_error(
        ErrorKind::unavailable,
        "{} has no symbols (Debian's says so, and linux-image-RELEASE-dbg has the real one)", path);
}

std::optional<Symbol> SystemMap::find(std::string_view name) const {
  const std::string wanted = fmt::format(" {}\n", name);
  for (std::size_t at = text_.find(wanted); at != std::string_view::npos;
       at = text_.find(wanted, at + 1)) {
    const std::size_t before = text_.rfind('\n', at);
    const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
    std::optional<Symbol> symbol = parse(text_.substr(start, at + wanted.size() - 1 - start));
    if (symbol && symbol->name == name) return symbol;
  }
  return std::nullopt;
}

std::optional<Symbol> SystemMap::nearest(std::uint64_t address) const {
  if (by_address_.empty()) {
    for_each_line(text_, [&](std::string_view line) {
      std::optional<Symbol> symbol = parse(line);
      if (symbol && symbol->type != 'A' && symbol->type != 'a')
        by_address_.push_back(std::move(*symbol));
      return true;
    });
    std::stable_sort(by_address_.begin(), by_address_.end(),
                     [](const Symbol& a, const Symbol& b) { return a.address < b.address; });
  }
  const auto after =
      std::upper_bound(by_address_.begin(), by_address_.end(), address,
                       [](std::uint64_t at, const Symbol& symbol) { return at < symbol.address; });
  return after == by_address_.begin() ? std::nullopt : std::optional(*std::prev(after));
}

std::vector<std::string> SystemMap::names(std::string_view prefix, std::size_t limit) const {
  std::vector<std::string> found;
  for_each_line(text_, [&](std::string_view line) {
    std::optional<Symbol> symbol = parse(line);
    if (symbol && symbol->name.starts_with(prefix)) found.push_back(std::move(symbol->name));
    return true;
  });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace kvmscope::dwarf
