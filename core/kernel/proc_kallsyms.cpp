#include "core/kernel/proc_kallsyms.hpp"

#include <algorithm>
#include <charconv>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

constexpr std::string_view vmlinux = "vmlinux";
constexpr std::size_t address_digits = 16;
// A kernel's names take some 10 MiB.
constexpr std::size_t most_text = 256 << 20;

std::uint64_t address_of(std::string_view digits) {
  std::uint64_t address = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), address, 16);
  return address;
}

bool is_zero(std::string_view digits) {
  return digits.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace

ProcKallsyms::ProcKallsyms(std::string path, const std::set<std::string, std::less<>>& wanted,
                           std::set<std::string, std::less<>> modules,
                           const std::string& kptr_restrict, OpenLog* log)
    : path_(std::move(path)), file_(open_read_only(path_, log)), modules_(std::move(modules)) {
  first_pass(wanted, modules_, kptr_restrict);
}

bool ProcKallsyms::parse(std::string_view text, Line& line) {
  // "ADDRESS TYPE NAME" and, for a module, "\t[MODULE]".
  constexpr std::size_t name_at = address_digits + 3;
  if (text.size() <= name_at || text[address_digits] != ' ') return false;
  line = {text.substr(0, address_digits), text[address_digits + 1], text.substr(name_at), {}};
  if (text.back() != ']') return true;
  const std::size_t tab = line.name.find('\t');
  if (tab == std::string_view::npos || tab + 3 > line.name.size()) return true;
  line.module = line.name.substr(tab + 2, line.name.size() - tab - 3);
  line.name = line.name.substr(0, tab);
  return true;
}

void ProcKallsyms::each(const std::function<bool(const Line&)>& visit) const {
  FileLines lines(file_.get(), path_);
  Line line;
  while (const std::optional<std::string_view> text = lines.next()) {
    if (parse(*text, line) && !visit(line)) return;
  }
}

Symbol ProcKallsyms::symbol(const Line& line) {
  return {std::string(line.name), address_of(line.address), 0, line.type, std::string(line.module)};
}

void ProcKallsyms::first_pass(const std::set<std::string, std::less<>>& wanted,
                              const std::set<std::string, std::less<>>& modules,
                              const std::string& kptr_restrict) {
  bool any_address = false;
  std::size_t missing = wanted.size();
  each([&](const Line& line) {
    any_address = any_address || !is_zero(line.address);
    if (line.module.empty()) {
      if (missing == 0 || wanted.find(line.name) == wanted.end()) return true;
      // Of several static ones the first counts.
      if (known_.try_emplace(Key("", line.name), symbol(line)).second) --missing;
    } else if (modules.find(line.module) != modules.end()) {
      known_.try_emplace(Key(line.module, line.name), symbol(line));
    }
    return true;
  });
  if (!any_address)
    throw_error(ErrorKind::unavailable,
                "{} shows every address as zero (kernel.kptr_restrict is {}): reading them takes "
                "CAP_SYSLOG, which root has, and kernel.kptr_restrict below 2 (sysctl "
                "kernel.kptr_restrict=1)",
                path_, kptr_restrict.empty() ? "not known" : kptr_restrict);
  for (const std::string& name : wanted) known_.try_emplace(Key("", name), std::nullopt);
}

std::optional<Symbol> ProcKallsyms::find(std::string_view module, std::string_view name) const {
  const bool of_vmlinux = module == vmlinux;
  Key key(of_vmlinux ? "" : module, name);
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  if (modules_.contains(key.first)) return std::nullopt;
  std::optional<Symbol> found;
  each([&](const Line& line) {
    if (line.module == key.first && line.name == name) found = symbol(line);
    return !found;
  });
  // A module may be loaded again at another place; vmlinux stays.
  if (of_vmlinux) known_.emplace(std::move(key), found);
  return found;
}

std::optional<Symbol> ProcKallsyms::find(std::string_view name) const {
  const auto of_vmlinux = known_.find(Key("", name));
  if (of_vmlinux != known_.end() && of_vmlinux->second) return of_vmlinux->second;
  const bool only_modules = of_vmlinux != known_.end();
  if (only_modules)
    for (const std::string& module : modules_)
      if (const auto known = known_.find(Key(module, name)); known != known_.end())
        return known->second;
  std::optional<Symbol> found;
  each([&](const Line& line) {
    // vmlinux's come first.
    if (line.name == name && !found) found = symbol(line);
    return !found;
  });
  const bool is_vmlinux = found && found->module.empty();
  if (!only_modules) known_.emplace(Key("", name), is_vmlinux ? found : std::nullopt);
  return found;
}

ProcKallsyms::ByAddress ProcKallsyms::sorted() const {
  ByAddress table;
  table.modules.emplace_back();
  each([&](const Line& line) {
    if (table.modules.back() != line.module) table.modules.emplace_back(line.module);
    table.places.push_back({address_of(line.address), static_cast<std::uint32_t>(table.text.size()),
                            static_cast<std::uint32_t>(table.modules.size() - 1), line.type});
    table.text.append(line.name).push_back('\0');
    return table.text.size() < most_text;
  });
  std::stable_sort(table.places.begin(), table.places.end(),
                   [](const Place& a, const Place& b) { return a.address < b.address; });
  return table;
}

std::optional<Symbol> ProcKallsyms::nearest(std::uint64_t address) const {
  if (by_address_.places.empty()) by_address_ = sorted();
  const std::vector<Place>& places = by_address_.places;
  const auto after =
      std::upper_bound(places.begin(), places.end(), address,
                       [](std::uint64_t at, const Place& place) { return at < place.address; });
  if (after == places.begin()) return std::nullopt;
  const Place& place = *std::prev(after);
  return Symbol{by_address_.text.c_str() + place.name, place.address, 0, place.type,
                by_address_.modules[place.module]};
}

std::vector<std::string> ProcKallsyms::names(std::string_view prefix, std::size_t limit) const {
  std::set<std::string> names;
  each([&](const Line& line) {
    if (line.name.starts_with(prefix)) names.emplace(line.name);
    return true;
  });
  std::vector<std::string> result(names.begin(), names.end());
  if (result.size() > limit) result.resize(limit);
  return result;
}

}  // namespace kvmscope
