#include "core/object/member_path.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "core/base/error.hpp"
#include "core/object/object.hpp"

namespace kvmscope {
namespace {

constexpr int max_nesting = 64;  // of anonymous members; more is a type that contains itself
constexpr std::size_t max_suggestion_length = 64;

void collect_names(const Type& aggregate, int depth, std::vector<std::string>& names) {
  if (depth > max_nesting) return;
  for (const Member& member : aggregate.members) {
    if (!member.name.empty())
      names.push_back(member.name);
    else if (member.bit_size == 0 && is_aggregate(member.type.get()))
      collect_names(strip(member.type.get()), depth + 1, names);
  }
}

// Letters to insert, delete or replace to make one word of the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

// "[12]" from the front of `path`.
std::uint64_t take_index(std::string_view& path, std::string_view whole) {
  std::uint64_t index = 0;
  const char* const end = path.data() + path.size();
  const auto [stop, error] = std::from_chars(path.data() + 1, end, index);
  if (error != std::errc() || stop == end || *stop != ']')
    throw_error(ErrorKind::usage, "'{}' is no path of members, such as arch.prev_roots[1].hpa",
                whole);
  path.remove_prefix(static_cast<std::size_t>(stop - path.data()) + 1);
  return index;
}

FoundMember element(const Types& types, const FoundMember& array, std::uint64_t index) {
  const Type& stripped = strip(*array.type);
  if (stripped.kind != TypeKind::array)
    throw_error(ErrorKind::usage, "{} is no array", type_name(*array.type));
  const Type& type = target_of(stripped);
  std::uint64_t offset = 0;
  if (__builtin_mul_overflow(size_of(types, type), index, &offset) || offset >= 1ULL << 60)
    throw_error(ErrorKind::usage, "[{}] is too far", index);
  return {&type, array.bit_offset + offset * 8, 0};
}

}  // namespace

FoundMember need_member(const Types& types, const Type& aggregate, std::string_view name) {
  const Type& stripped = strip(aggregate);
  if (stripped.kind != TypeKind::structure && stripped.kind != TypeKind::union_type)
    throw_error(ErrorKind::usage, "{} has no members, so no '{}'", type_name(aggregate), name);
  const Type& type = types.complete(stripped);
  if (!type.is_complete)
    throw_error(ErrorKind::usage, "{} is only declared in the debug info", type_name(type));
  if (const auto found = find_member(type, name)) return *found;
  throw_error(ErrorKind::usage, "{} has no member '{}'{}", type_name(type), name,
              did_you_mean(name, member_names(type)));
}

FoundMember need_member_path(const Types& types, const Type& aggregate, std::string_view path) {
  FoundMember found{&aggregate, 0, 0};
  std::string_view rest = path;
  for (bool first = true; first || !rest.empty(); first = false) {
    if (!rest.empty() && rest.front() == '[') {
      const std::uint64_t index = take_index(rest, path);
      found = element(types, found, index);
      continue;
    }
    if (!first && rest.front() == '.') rest.remove_prefix(1);
    const std::string_view name = rest.substr(0, rest.find_first_of(".["));
    rest.remove_prefix(name.size());
    const std::uint64_t base = found.bit_offset;
    found = need_member(types, *found.type, name);
    found.bit_offset += base;
  }
  return found;
}

std::vector<std::string> member_names(const Type& aggregate) {
  std::vector<std::string> names;
  collect_names(strip(aggregate), 0, names);
  return names;
}

std::optional<std::string> closest(std::string_view word, std::span<const std::string> candidates) {
  if (word.size() > max_suggestion_length) return std::nullopt;
  std::size_t best = word.size() / 3 + 2;  // one more than the distance that still is a typo
  const std::string* found = nullptr;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > max_suggestion_length) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= best || distance >= candidate.size()) continue;
    best = distance;
    found = &candidate;
  }
  if (found != nullptr) return *found;
  // A word that was cut short, or half of a longer one.
  for (const std::string& candidate : candidates)
    if (word.size() >= 3 && candidate.find(word) != std::string::npos) return candidate;
  return std::nullopt;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const std::optional<std::string> meant = closest(word, candidates);
  return meant ? fmt::format(" (did you mean '{}'?)", *meant) : "";
}

}  // namespace kvmscope
