#include "core/kernel/proc_kallsyms.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

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

// A hundred thousand names pass by, and a handful is wanted: their first bytes and lengths rule out
// nearly all others without a search.
class NameFilter {
 public:
  explicit NameFilter(const ProcKallsyms::Names& wanted) {
    for (const std::string& name : wanted)
      if (!name.empty()) lengths_[byte(name)] |= bit(name);
  }
  bool may_hold(std::string_view name) const { return (lengths_[byte(name)] & bit(name)) != 0; }

 private:
  static unsigned char byte(std::string_view name) {
    return static_cast<unsigned char>(name.front());
  }
  static std::uint64_t bit(std::string_view name) { return 1ULL << (name.size() % 64); }

  std::array<std::uint64_t, 256> lengths_{};  // by first byte
};

}  // namespace

void ProcKallsyms::Table::add(const Line& line) {
  if (modules.empty() || modules.back() != line.module) modules.emplace_back(line.module);
  places.push_back({address_of(line.address), static_cast<std::uint32_t>(text.size()),
                    static_cast<std::uint32_t>(modules.size() - 1), line.type});
  text.append(line.name).push_back('\0');
}

Symbol ProcKallsyms::Table::symbol(const Place& place) const {
  return {std::string(name(place)), place.address, 0, place.type, modules[place.module]};
}

ProcKallsyms::ProcKallsyms(std::string path, Names wanted, Names modules, std::string kptr_restrict,
                           OpenLog* log)
    : path_(std::move(path)),
      file_(open_read_only(path_, log)),
      wanted_(std::move(wanted)),
      modules_(std::move(modules)),
      kptr_restrict_(std::move(kptr_restrict)) {}

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

void ProcKallsyms::first_pass() const {
  if (passed_) return;
  const NameFilter filter(wanted_);
  bool any_address = false;
  kept_ = {};  // of a pass that was interrupted
  each([&](const Line& line) {
    any_address = any_address || !is_zero(line.address);
    if (line.module.empty()) {
      // Of several static ones the first counts.
      if (filter.may_hold(line.name) && wanted_.find(line.name) != wanted_.end())
        vmlinux_.try_emplace(std::string(line.name), symbol(line));
      return true;
    }
    const bool is_kept = modules_.find(line.module) != modules_.end();
    if (is_kept) kept_.add(line);
    // vmlinux's come first, then one module's after the other's.
    return is_kept || kept_.modules.size() < modules_.size();
  });
  if (!any_address)
    throw_error(ErrorKind::unavailable,
                "{} shows every address as zero (kernel.kptr_restrict is {}): reading them takes "
                "CAP_SYSLOG, which root has, and kernel.kptr_restrict below 2 (sysctl "
                "kernel.kptr_restrict=1)",
                path_, kptr_restrict_.empty() ? "not known" : kptr_restrict_);
  for (const std::string& name : wanted_) vmlinux_.try_emplace(name, std::nullopt);
  passed_ = true;
}

// `module` empty: of any. The first of several. A handful is asked for: to sort thousands by name
// took longer than looking through them.
std::optional<Symbol> ProcKallsyms::find_kept(std::string_view module,
                                              std::string_view name) const {
  const std::string wanted(name);
  const auto found =
      std::find_if(kept_.places.begin(), kept_.places.end(), [&](const Place& place) {
        return std::strcmp(kept_.text.c_str() + place.name, wanted.c_str()) == 0 &&
               (module.empty() || kept_.modules[place.module] == module);
      });
  return found != kept_.places.end() ? std::optional(kept_.symbol(*found)) : std::nullopt;
}

std::optional<Symbol> ProcKallsyms::find(std::string_view module, std::string_view name) const {
  first_pass();
  const bool of_vmlinux = module == vmlinux;
  if (!of_vmlinux && modules_.find(module) != modules_.end()) return find_kept(module, name);
  if (const auto known = vmlinux_.find(name); of_vmlinux && known != vmlinux_.end())
    return known->second;
  const std::string_view wanted = of_vmlinux ? "" : module;
  std::optional<Symbol> found;
  each([&](const Line& line) {
    if (line.name == name && line.module == wanted) found = symbol(line);
    return !found;
  });
  // A module may be loaded again at another place; vmlinux stays.
  if (of_vmlinux) vmlinux_.emplace(name, found);
  return found;
}

std::optional<Symbol> ProcKallsyms::find(std::string_view name) const {
  first_pass();
  const auto of_vmlinux = vmlinux_.find(name);
  const bool only_modules = of_vmlinux != vmlinux_.end();
  if (only_modules && of_vmlinux->second) return of_vmlinux->second;
  if (only_modules)
    if (std::optional<Symbol> kept = find_kept("", name)) return kept;
  std::optional<Symbol> found;
  each([&](const Line& line) {
    // vmlinux's come first.
    if (line.name == name) found = symbol(line);
    return !found;
  });
  const bool is_vmlinux = found && found->module.empty();
  if (!only_modules) vmlinux_.emplace(name, is_vmlinux ? found : std::nullopt);
  return found;
}

ProcKallsyms::Table ProcKallsyms::sorted() const {
  Table table;
  each([&](const Line& line) {
    table.add(line);
    return table.text.size() < most_text;
  });
  std::stable_sort(table.places.begin(), table.places.end(),
                   [](const Place& a, const Place& b) { return a.address < b.address; });
  return table;
}

std::optional<Symbol> ProcKallsyms::nearest(std::uint64_t address) const {
  first_pass();
  if (by_address_.places.empty()) by_address_ = sorted();
  const std::vector<Place>& places = by_address_.places;
  const auto after =
      std::upper_bound(places.begin(), places.end(), address,
                       [](std::uint64_t at, const Place& place) { return at < place.address; });
  if (after == places.begin()) return std::nullopt;
  return by_address_.symbol(*std::prev(after));
}

std::vector<std::string> ProcKallsyms::names(std::string_view prefix, std::size_t limit) const {
  first_pass();
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
