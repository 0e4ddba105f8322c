#include "core/object/member_path.hpp"

#include <charconv>

#include "core/base/error.hpp"
#include "core/base/nearest.hpp"
#include "core/object/object.hpp"

namespace kvmscope {
namespace {

constexpr int max_nesting = 64;  // of anonymous members; more is a type that contains itself

void collect_names(const Type& aggregate, int depth, std::vector<std::string>& names) {
  if (depth > max_nesting) return;
  for (const Member& member : aggregate.members) {
    if (!member.name.empty())
      names.push_back(member.name);
    else if (member.bit_size == 0 && is_aggregate(member.type.get()))
      collect_names(strip(member.type.get()), depth + 1, names);
  }
}

[[noreturn]] void throw_malformed(std::string_view path) {
  throw_error(ErrorKind::usage, "'{}' is no path of members, such as arch.prev_roots[1].hpa", path);
}

// "[12]" from the front of `rest`.
std::uint64_t take_index(std::string_view& rest, std::string_view path) {
  std::uint64_t index = 0;
  const char* const end = rest.data() + rest.size();
  const auto [stop, error] = std::from_chars(rest.data() + 1, end, index);
  if (error != std::errc() || stop == end || *stop != ']') throw_malformed(path);
  rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()) + 1);
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

std::vector<MemberStep> parse_member_path(std::string_view path) {
  std::vector<MemberStep> steps;
  std::string_view rest = path;
  do {
    if (rest.starts_with('[')) {
      steps.emplace_back(take_index(rest, path));
      continue;
    }
    if (!steps.empty()) {
      if (rest.front() != '.') throw_malformed(path);
      rest.remove_prefix(1);
    }
    const std::string_view name = rest.substr(0, rest.find_first_of(".["));
    if (name.empty()) throw_malformed(path);
    steps.emplace_back(name);
    rest.remove_prefix(name.size());
  } while (!rest.empty());
  return steps;
}

FoundMember need_member_path(const Types& types, const Type& aggregate, std::string_view path) {
  FoundMember found{&aggregate, 0, 0};
  for (const MemberStep& step : parse_member_path(path)) {
    if (const auto* index = std::get_if<std::uint64_t>(&step)) {
      found = element(types, found, *index);
      continue;
    }
    const std::uint64_t base = found.bit_offset;
    found = need_member(types, *found.type, std::get<std::string_view>(step));
    found.bit_offset += base;
  }
  return found;
}

std::vector<std::string> member_names(const Type& aggregate) {
  std::vector<std::string> names;
  collect_names(strip(aggregate), 0, names);
  return names;
}

}  // namespace kvmscope
