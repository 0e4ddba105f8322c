#include "dwarf/dwarf_code.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"
#include "dwarf/code_lines.hpp"
#include "dwarf/code_location.hpp"
#include "dwarf/relocate.hpp"
#include "dwarf/section_layout.hpp"

namespace kvmscope::dwarf {
namespace {

// Blocks inside each other; deeper than this is damage.
constexpr unsigned max_depth = 256;
// A direct near call, the only kind that the debug info gives a callee for: E8 and four bytes.
constexpr std::uint64_t call_size = 5;

// Beside those that types need.
constexpr std::string_view relocated_sections[] = {
    ".debug_line", ".debug_frame", ".debug_loclists", ".debug_rnglists",
    ".debug_addr", ".debug_loc",   ".debug_ranges"};

bool is_inlined(unsigned tag) {
  return tag == DW_TAG_inlined_subroutine;
}

// What may hold code of a function: its own blocks, and functions inlined into it.
bool holds_code(unsigned tag) {
  return is_inlined(tag) || tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
         tag == DW_TAG_catch_block;
}

// Runs `visit` for every entry below `die`, parents first; it says whether to go on below.
void walk(const Die& die, const std::function<bool(const Die&, unsigned tag)>& visit,
          unsigned depth = 0) {
  if (depth > max_depth) throw_damaged(offset_of(die), "blocks nested without end");
  for (auto child = first_child(die); child; child = next_sibling(*child))
    if (visit(*child, tag_of(*child))) walk(*child, visit, depth + 1);
}

bool is_named(const Die& die, std::string_view name) {
  const char* own = full_name_of(die);
  return own != nullptr && source_name(own) == name;
}

bool holds(const std::vector<CodeRange>& ranges, std::uint64_t address) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const CodeRange& range) {
    return range.begin <= address && address < range.end;
  });
}

// Whether the call belongs to `callee`, and comes back.
bool calls_to(const Die& die, unsigned tag, std::string_view callee) {
  if (tag != DW_TAG_call_site && tag != DW_TAG_GNU_call_site) return false;
  if (has(die, DW_AT_call_tail_call) || has(die, DW_AT_GNU_tail_call)) return false;
  auto origin = reference(die, DW_AT_call_origin);
  if (!origin) origin = reference(die, DW_AT_abstract_origin);
  return origin && is_named(*origin, callee);
}

}  // namespace

DwarfCode::DwarfCode(const ElfFile& file, const DwarfTypes& types, const ElfSymbols& symbols)
    : file_(file), types_(types), symbols_(symbols, section_starts(file)) {
  for (const std::string_view section : relocated_sections) relocate(file, section);
  if (file.section(".debug_frame") || file.section(".zdebug_frame"))
    frames_ = dwarf_getcfi(types.handle());
}

template <typename Body>
decltype(auto) DwarfCode::reading(Body&& body) const {
  return with_context([&] { return fmt::format("reading code of {}", file_.path()); },
                      std::forward<Body>(body));
}

const CodeIndex& DwarfCode::index() const {
  if (!index_) index_.emplace(types_.handle());
  return *index_;
}

// None: the entry is an abstract one, or nothing of it was left.
std::optional<CodeBlock> DwarfCode::block(const Die& die, std::string_view inside) const {
  CodeBlock block;
  block.ranges = ranges_of(die);
  const char* name = full_name_of(die);
  if (block.ranges.empty() || name == nullptr) return std::nullopt;
  block.id = offset_of(die);
  block.name = source_name(name);
  block.is_inlined = is_inlined(tag_of(die));
  block.inside = block.is_inlined ? inside : block.name;
  const auto entry = address(die, DW_AT_entry_pc);
  const bool is_inside = entry && holds(block.ranges, *entry);
  block.entry = place(is_inside ? *entry : block.ranges.front().begin);
  Die typed = die;
  for (int i = 0; i < 4 && !has(typed, DW_AT_type); ++i) {
    const auto origin = reference(typed, DW_AT_abstract_origin);
    if (!origin) break;
    typed = *origin;
  }
  block.result = types_.target_of(typed);
  return block;
}

std::vector<CodeBlock> DwarfCode::inlined_into(const Die& outer, std::string_view inside,
                                               std::string_view name) const {
  std::vector<CodeBlock> found;
  walk(outer, [&](const Die& die, unsigned tag) {
    if (is_inlined(tag) && is_named(die, name))
      if (auto copy = block(die, inside)) found.push_back(std::move(*copy));
    return holds_code(tag);
  });
  return found;
}

std::vector<CodeBlock> DwarfCode::copies(std::string_view name) const {
  return reading([&] {
    std::vector<CodeBlock> found, inlined;
    std::set<std::uint64_t> units;
    for (const std::uint64_t offset : index().entries(name)) {
      const Die entry = die(offset);
      if (auto copy = block(entry, "")) found.push_back(std::move(*copy));
      // What was inlined is an entry without code; its copies are in the same unit.
      Die unit;
      if (dwarf_diecu(const_cast<Die*>(&entry), &unit, nullptr, nullptr) == nullptr ||
          !units.insert(offset_of(unit)).second)
        continue;
      check_interrupt();
      walk(unit, [&](const Die& function, unsigned tag) {
        if (tag != DW_TAG_subprogram || has(function, DW_AT_inline)) return false;
        const char* inside = full_name_of(function);
        if (inside == nullptr || ranges_of(function).empty()) return false;
        for (CodeBlock& copy : inlined_into(function, source_name(inside), name))
          inlined.push_back(std::move(copy));
        return false;
      });
    }
    std::move(inlined.begin(), inlined.end(), std::back_inserter(found));
    return found;
  });
}

std::vector<CodeBlock> DwarfCode::inlined(const CodeBlock& block, std::string_view name) const {
  return reading([&] { return inlined_into(die(block.id), block.inside, name); });
}

// GCC lists a call below the inlined function that makes it, clang below the function out of line.
std::vector<CodeCall> DwarfCode::calls(const CodeBlock& block, std::string_view callee) const {
  return reading([&] {
    std::vector<CodeCall> calls;
    const auto function = index().at(block.entry.address);
    if (!function) return calls;
    std::set<std::uint64_t> returns;
    walk(die(*function), [&](const Die& die, unsigned tag) {
      if (calls_to(die, tag, callee)) {
        auto after = address(die, DW_AT_call_return_pc);
        if (!after) after = address(die, DW_AT_low_pc);
        if (after && *after >= call_size && holds(block.ranges, *after - 1)) returns.insert(*after);
      }
      return holds_code(tag);
    });
    for (const std::uint64_t after : returns)
      calls.push_back({place(after - call_size), place(after)});
    return calls;
  });
}

std::vector<CodeBlock> DwarfCode::blocks_at(std::uint64_t address) const {
  return reading([&] {
    std::vector<CodeBlock> found;
    const auto offset = index().at(address);
    if (!offset) return found;
    const Die function = die(*offset);
    if (auto outer = block(function, "")) found.push_back(std::move(*outer));
    if (found.empty()) return found;
    const std::string inside = found.front().name;
    walk(function, [&](const Die& die, unsigned tag) {
      if (!holds_code(tag)) return false;
      const std::vector<CodeRange> ranges = ranges_of(die);
      if (!ranges.empty() && !holds(ranges, address)) return false;
      if (is_inlined(tag) && !ranges.empty())
        if (auto copy = block(die, inside)) found.push_back(std::move(*copy));
      return true;
    });
    return found;
  });
}

std::vector<LinePlace> DwarfCode::lines(std::string_view file, unsigned line) const {
  return reading([&] {
    std::vector<LinePlace> found;
    // The compiler moves parts of a statement about: of each copy of the function the first
    // address counts, as in debuggers.
    std::set<std::uint64_t> seen;
    for (const Statement& statement : statements(types_.handle(), file, line)) {
      const std::vector<CodeBlock> blocks = blocks_at(statement.address);
      if (!blocks.empty() && !seen.insert(blocks.back().id).second) continue;
      found.push_back({statement.file, line, blocks.empty() ? "" : blocks.back().name,
                       place(statement.address)});
    }
    return found;
  });
}

std::vector<unsigned> DwarfCode::lines_near(std::string_view file, unsigned line,
                                            std::size_t limit) const {
  return reading([&] {
    const std::set<unsigned> with_code = lines_of(types_.handle(), file);
    std::vector<unsigned> near(with_code.begin(), with_code.end());
    const auto distance = [&](unsigned other) {
      return other > line ? other - line : line - other;
    };
    std::stable_sort(near.begin(), near.end(),
                     [&](unsigned a, unsigned b) { return distance(a) < distance(b); });
    if (near.size() > limit) near.resize(limit);
    return near;
  });
}

std::string DwarfCode::line_at(std::uint64_t address) const {
  return reading([&]() -> std::string {
    const auto offset = index().at(address);
    if (!offset) return {};
    const Die function = die(*offset);
    Die unit;
    if (dwarf_diecu(const_cast<Die*>(&function), &unit, nullptr, nullptr) == nullptr) return {};
    return dwarf::line_at(unit, address);
  });
}

// Outermost first.
void DwarfCode::collect_variables(const Die& outer, std::string_view function,
                                  const Locations& locations, std::uint64_t address,
                                  std::vector<CodeVariable>& found, unsigned depth) const {
  if (depth > max_depth) throw_damaged(offset_of(outer), "blocks nested without end");
  for (auto die = first_child(outer); die; die = next_sibling(*die)) {
    const unsigned tag = tag_of(*die);
    const char* name = full_name_of(*die);
    if (holds_code(tag)) {
      const std::vector<CodeRange> ranges = ranges_of(*die);
      const bool is_here = ranges.empty() ? !is_inlined(tag) : holds(ranges, address);
      const bool is_other = is_inlined(tag) && name != nullptr;
      if (is_here)
        collect_variables(*die, is_other ? source_name(name) : function, locations, address, found,
                          depth + 1);
      continue;
    }
    const bool is_parameter = tag == DW_TAG_formal_parameter;
    if (name == nullptr || (!is_parameter && tag != DW_TAG_variable) ||
        has(*die, DW_AT_declaration))
      continue;
    const auto origin = reference(*die, DW_AT_abstract_origin);
    const Die& typed = !has(*die, DW_AT_type) && origin ? *origin : *die;
    found.push_back({.name = name,
                     .function = std::string(function),
                     .type = types_.target_of(typed),
                     .is_parameter = is_parameter,
                     .location = locations.at(*die, address),
                     .available = locations.available(*die)});
  }
}

std::vector<CodeVariable> DwarfCode::variables(std::uint64_t address) const {
  return reading([&] {
    std::vector<CodeVariable> found;
    const auto offset = index().at(address);
    if (!offset) return found;
    const Die function = die(*offset);
    const char* name = full_name_of(function);
    collect_variables(function, name != nullptr ? source_name(name) : "",
                      Locations(function, frames_), address, found);
    std::reverse(found.begin(), found.end());
    return found;
  });
}

std::vector<std::string> DwarfCode::functions(std::string_view prefix, std::size_t limit) const {
  return reading([&] { return index().names(prefix, limit); });
}

}  // namespace kvmscope::dwarf
