// Finds the places that a name or a source line stands for.

#include <algorithm>
#include <charconv>

#include <fmt/ranges.h>

#include "commands/trace/at_plan.hpp"
#include "core/base/error.hpp"
#include "core/base/nearest.hpp"
#include "core/types/type_modules.hpp"

namespace kvmscope::tracing {
namespace {

// More copies of an inlined function than this are no place that anybody means.
constexpr std::size_t max_places = 64;

// What the user wrote, taken apart.
struct Wanted {
  std::string module = {};  // empty: the usual ones
  std::string name = {};    // function or file
  std::optional<unsigned> line = {};
  std::uint64_t offset = 0;
};

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Wanted parse(const std::string& text) {
  Wanted wanted{.name = text};
  const std::size_t colon = text.rfind(':');
  if (colon != text.npos && is_number(std::string_view(text).substr(colon + 1))) {
    unsigned line = 0;
    const auto end = text.data() + text.size();
    if (std::from_chars(text.data() + colon + 1, end, line).ec != std::errc())
      throw_error(ErrorKind::usage, "{}: no line has such a number", text);
    wanted.line = line;
    wanted.name.resize(colon);
    return wanted;
  }
  if (colon != text.npos) {
    wanted.module = text.substr(0, colon);
    wanted.name = text.substr(colon + 1);
    std::replace(wanted.module.begin(), wanted.module.end(), '_', '-');
  }
  const std::size_t plus = wanted.name.find('+');
  if (plus != wanted.name.npos) {
    wanted.offset = parse_number(std::string_view(wanted.name).substr(plus + 1));
    wanted.name.resize(plus);
  }
  return wanted;
}

std::vector<AtPlace> places_of_line(const CodeSource& code, const Wanted& wanted) {
  std::vector<AtPlace> places;
  for (LinePlace& line : code.lines(wanted.name, *wanted.line))
    places.push_back({.place = line.place,
                      .function = line.inside,
                      .line = fmt::format("{}:{}", line.file, line.line)});
  return places;
}

std::vector<AtPlace> places_inside(const CodeSource& code, const CodeBlock& function,
                                   const Wanted& wanted) {
  const std::uint64_t address = function.entry.address + wanted.offset;
  for (const CodeRange& range : function.ranges)
    if (range.begin <= address && address < range.end)
      return {{.place = code.place(address),
               .function = code.blocks_at(address).back().name,
               .line = code.line_at(address)}};
  throw_error(ErrorKind::usage, "{} is only {:#x} bytes long", wanted.name,
              function.ranges.front().end - function.ranges.front().begin);
}

bool holds(const CodeBlock& block, std::uint64_t address) {
  return std::any_of(block.ranges.begin(), block.ranges.end(), [&](const CodeRange& range) {
    return range.begin <= address && address < range.end;
  });
}

// GCC splits functions in two: what it split off (name.part.0) is entered from the rest, which was
// inlined, or is inlined into it under the same name. One call is one event.
void drop_split_off(std::vector<CodeBlock>& copies) {
  std::vector<CodeBlock> whole;
  for (const CodeBlock& copy : copies) {
    const bool is_part = copies.size() > 1 && copy.entry.offset == 0 &&
                         copy.entry.symbol.find(".part.") != std::string::npos;
    // Outermost come first.
    const bool is_nested =
        copy.is_inlined && std::any_of(whole.begin(), whole.end(), [&](const CodeBlock& outer) {
          return outer.is_inlined && holds(outer, copy.entry.address);
        });
    if (!is_part && !is_nested) whole.push_back(copy);
  }
  copies = std::move(whole);
}

std::vector<AtPlace> places_of_function(const CodeSource& code, const Wanted& wanted,
                                        bool at_return) {
  std::vector<CodeBlock> copies = code.copies(wanted.name);
  const bool any_whole = std::any_of(copies.begin(), copies.end(),
                                     [](const CodeBlock& copy) { return !copy.is_inlined; });
  if (copies.empty()) return {};
  if ((at_return || wanted.offset != 0) && !any_whole) {
    std::vector<std::string> into;
    for (const CodeBlock& copy : copies) into.push_back(copy.inside);
    std::sort(into.begin(), into.end());
    into.erase(std::unique(into.begin(), into.end()), into.end());
    throw_error(ErrorKind::usage,
                "{} was inlined everywhere, into {}: name one of those, or a "
                "line (FILE:LINE)",
                wanted.name, fmt::join(into, ", "));
  }
  if (wanted.offset != 0) return places_inside(code, copies.front(), wanted);
  if (!at_return) drop_split_off(copies);
  std::vector<AtPlace> places;
  for (const CodeBlock& copy : copies)
    if (!at_return || !copy.is_inlined)
      places.push_back({.place = copy.entry,
                        .function = copy.name,
                        .line = code.line_at(copy.entry.address),
                        .result = copy.result});
  return places;
}

[[noreturn]] void throw_not_found(const Wanted& wanted, const std::vector<ProbedCode>& searched) {
  std::vector<std::string> files;
  for (const ProbedCode& code : searched) files.push_back(code.file->path());
  if (files.empty())
    throw_error(ErrorKind::unavailable,
                "no debug file {}is at hand: see `info`, or name one "
                "with -s",
                wanted.module.empty() ? "" : fmt::format("of {} ", wanted.module));
  if (wanted.line) {
    for (const ProbedCode& code : searched) {
      const std::vector<unsigned> near = code.code().lines_near(wanted.name, *wanted.line, 4);
      if (!near.empty())
        throw_error(ErrorKind::usage, "{}:{} has no code of its own; lines near it that have: {}",
                    wanted.name, *wanted.line, fmt::join(near, ", "));
    }
    throw_error(ErrorKind::usage, "no code of a file {} in {}", wanted.name,
                fmt::join(files, ", "));
  }
  constexpr std::size_t many = 50'000;
  const std::vector<std::string> known = searched.front().code().functions("", many);
  throw_error(ErrorKind::usage, "no function {} with code in {}{}", wanted.name,
              fmt::join(files, ", "), did_you_mean(wanted.name, known));
}

}  // namespace

AtPlaces find_places(const std::function<ProbedCode(std::string_view module)>& code_of,
                     const std::string& text, bool at_return) {
  const Wanted wanted = parse(text);
  if (at_return && (wanted.line || wanted.offset != 0))
    throw_error(ErrorKind::usage, "--return is about a whole function, not about {}", text);
  std::vector<std::string_view> modules(type_modules.begin(), type_modules.end());
  if (!wanted.module.empty()) modules = {wanted.module};
  std::vector<ProbedCode> searched;
  for (const std::string_view module : modules) {
    const ProbedCode code = code_of(module);
    if (code.file == nullptr) continue;
    searched.push_back(code);
    AtPlaces found{.code = code,
                   .places = wanted.line ? places_of_line(code.code(), wanted)
                                         : places_of_function(code.code(), wanted, at_return)};
    if (found.places.size() > max_places)
      throw_error(ErrorKind::usage, "{} has {} copies: name a line of one of its callers", text,
                  found.places.size());
    if (!found.places.empty()) return found;
  }
  throw_not_found(wanted, searched);
}

}  // namespace kvmscope::tracing
