#include "core/types/types.hpp"

#include <algorithm>
#include <set>

#include "core/base/error.hpp"
#include "core/types/base_type_name.hpp"

namespace kvmscope {
namespace {

std::string_view kind_word(TypeKind kind) {
  switch (kind) {
    case TypeKind::structure: return "struct";
    case TypeKind::union_type: return "union";
    case TypeKind::enumeration: return "enum";
    default: return "type";
  }
}

std::string integer_name(std::uint64_t size, bool is_signed) {
  const std::string_view sign = is_signed ? "" : "unsigned ";
  switch (size) {
    case 1: return is_signed ? "signed char" : "unsigned char";
    case 2: return fmt::format("{}short", sign);
    case 4: return fmt::format("{}int", sign);
    case 8: return fmt::format("{}long", sign);
    case 16: return fmt::format("{}__int128", sign);
    default: return fmt::format("{}{}", is_signed ? "s" : "u", size * 8);
  }
}

}  // namespace

const TypeSource* Types::Source::get() const {
  if (source == nullptr) source = open();
  return source;
}

void Types::add(std::string origin, std::function<const TypeSource*()> open) {
  sources_.push_back({.origin = std::move(origin), .open = std::move(open)});
  look_again();
}

void Types::look_again() const {
  std::erase_if(found_, [](const auto& entry) { return entry.second.type == nullptr; });
}

std::string Types::lack() const {
  return lack_ ? lack_() : "";
}

void Types::forget() const {
  found_.clear();
  for (const Source& source : sources_) source.source = nullptr;
}

Types::Found Types::find(TypeKind kind, std::string_view name) const {
  // "u64" is no base type of C: asking for it as one would search every source in vain.
  const bool is_base = kind == TypeKind::integer && is_base_type_name(name);
  if (kind == TypeKind::integer && !is_base) kind = TypeKind::typedef_type;
  auto key = std::pair(kind, is_base ? base_type_name(name) : std::string(name));
  const auto known = found_.find(key);
  if (known != found_.end()) return known->second;

  Found found;
  for (const Source& source : sources_) {
    const TypeSource* types = source.get();
    if (types != nullptr) found.type = types->find(kind, key.second);
    if (found.type == nullptr) continue;
    found.origin = source.origin;
    break;
  }
  found_.emplace(std::move(key), found);
  return found;
}

const Type& Types::get(TypeKind kind, std::string_view name) const {
  const Found found = find(kind, name);
  if (found.type != nullptr) return *found.type;
  std::string asked;
  for (const Source& source : sources_) {
    if (source.source == nullptr) continue;
    if (!asked.empty()) asked += ", ";
    asked += source.origin;
  }
  throw_error(ErrorKind::usage, "no {} {} in the debug info of {}{}", kind_word(kind), name,
              asked.empty() ? "any file: none is open" : asked, lack());
}

const Type& Types::complete(const Type& type) const {
  if (type.is_complete || type.name.empty()) return type;
  const Found found = find(type.kind, type.name);
  return found.type != nullptr ? *found.type : type;
}

std::vector<std::string> Types::names(TypeKind kind, std::string_view prefix,
                                      std::size_t limit) const {
  std::set<std::string> names;
  for (const Source& source : sources_) {
    const TypeSource* types = source.get();
    if (types == nullptr) continue;
    for (std::string& name : types->names(kind, prefix, limit)) names.insert(std::move(name));
  }
  std::vector<std::string> first(names.begin(), names.end());
  if (first.size() > limit) first.resize(limit);
  return first;
}

const Type& Types::pointer_to(const Type& type) const {
  const Type*& made = pointers_[&type];
  if (made != nullptr) return *made;
  Type& pointer = made_.emplace_back();
  pointer.kind = TypeKind::pointer;
  pointer.size = 8;
  pointer.target = type;
  made = &pointer;
  return pointer;
}

const Type& Types::array_of(const Type& element, std::uint64_t count) const {
  std::uint64_t size = 0;
  if (__builtin_mul_overflow(element.size, count, &size))
    throw_error(ErrorKind::usage, "an array of {} elements is too long", count);
  const Type*& made = arrays_[{&element, count}];
  if (made != nullptr) return *made;
  Type& array = made_.emplace_back();
  array.kind = TypeKind::array;
  array.size = size;
  array.target = element;
  array.count = count;
  made = &array;
  return array;
}

const Type& Types::integer(std::uint64_t size, bool is_signed) const {
  const Type*& made = integers_[{size, is_signed}];
  if (made != nullptr) return *made;
  Type& integer = made_.emplace_back();
  integer.kind = TypeKind::integer;
  integer.name = integer_name(size, is_signed);
  integer.size = size;
  integer.is_signed = is_signed;
  made = &integer;
  return integer;
}

}  // namespace kvmscope
