#include "tests/support/fake_types.hpp"

#include "core/types/base_type_name.hpp"

namespace kvmscope {
namespace {

// Base types of every kind are found as TypeKind::integer (see TypeSource::find).
TypeKind lookup_kind(TypeKind kind) {
  return kind == TypeKind::boolean || kind == TypeKind::floating ? TypeKind::integer : kind;
}

struct BaseType {
  const char* name;
  std::uint64_t size;
  bool is_signed;
  const char* alias;
};

constexpr BaseType base_types[] = {
    {"char", 1, true, nullptr},
    {"unsigned char", 1, false, "u8"},
    {"unsigned short", 2, false, "u16"},
    {"unsigned int", 4, false, "u32"},
    {"unsigned long", 8, false, "u64"},
    {"signed char", 1, true, "s8"},
    {"short", 2, true, "s16"},
    {"int", 4, true, "s32"},
    {"long", 8, true, "s64"},
    {"long long", 8, true, nullptr},
    {"unsigned long long", 8, false, nullptr},
};

constexpr std::pair<std::string_view, TypeKind> keywords[] = {
    {"struct ", TypeKind::structure},
    {"union ", TypeKind::union_type},
    {"enum ", TypeKind::enumeration},
};

Type make(TypeKind kind, std::string name, std::uint64_t size, TypeRef target = {}) {
  Type type;
  type.kind = kind;
  type.name = std::move(name);
  type.size = size;
  type.target = target;
  return type;
}

}  // namespace

FakeTypes::FakeTypes() {
  for (const BaseType& type : base_types) {
    Type& made = add(make(TypeKind::integer, type.name, type.size));
    made.is_signed = type.is_signed;
    if (type.alias != nullptr) typedef_to(type.alias, made);
  }
  typedef_to("bool", add(make(TypeKind::boolean, "_Bool", 1)));
  structure("list_head", 16,
            {{"next", pointer("list_head"), 0}, {"prev", pointer("list_head"), 8}});
  structure("hlist_head", 8, {{"first", pointer("hlist_node"), 0}});
  structure("hlist_node", 16,
            {{"next", pointer("hlist_node"), 0}, {"pprev", pointer(pointer("hlist_node")), 8}});
}

Type& FakeTypes::add(Type type) {
  Type& made = types_.emplace_back(std::move(type));
  if (!made.name.empty() && made.is_complete) by_name_[{lookup_kind(made.kind), made.name}] = &made;
  return made;
}

Type& FakeTypes::aggregate(TypeKind kind, std::string name, std::uint64_t size,
                           std::vector<FakeMember> members) {
  Type type = make(kind, std::move(name), size);
  for (FakeMember& member : members) {
    type.members.push_back({.name = std::move(member.name),
                            .type = member.type,
                            .bit_offset = member.byte_offset * 8 + member.first_bit,
                            .bit_size = member.bit_size});
  }
  return add(std::move(type));
}

Type& FakeTypes::structure(std::string name, std::uint64_t size, std::vector<FakeMember> members) {
  return aggregate(TypeKind::structure, std::move(name), size, std::move(members));
}

Type& FakeTypes::union_type(std::string name, std::uint64_t size, std::vector<FakeMember> members) {
  return aggregate(TypeKind::union_type, std::move(name), size, std::move(members));
}

Type& FakeTypes::enumeration(std::string name, std::vector<Enumerator> enumerators,
                             std::uint64_t size) {
  Type type = make(TypeKind::enumeration, std::move(name), size);
  for (const Enumerator& enumerator : enumerators) type.is_signed |= enumerator.value < 0;
  type.enumerators = std::move(enumerators);
  return add(std::move(type));
}

Type& FakeTypes::typedef_to(std::string name, TypeRef target) {
  const std::uint64_t size = target ? target.get().size : 0;
  return add(make(TypeKind::typedef_type, std::move(name), size, target));
}

Type& FakeTypes::declared(TypeKind kind, std::string name) {
  Type type = make(kind, std::move(name), 0);
  type.is_complete = false;
  return add(std::move(type));
}

const Type& FakeTypes::pointer(TypeRef target) {
  return add(make(TypeKind::pointer, "", 8, target));
}

const Type& FakeTypes::array(TypeRef element, std::uint64_t count) {
  Type type = make(TypeKind::array, "", element.get().size * count, element);
  type.count = count;
  return add(std::move(type));
}

const Type& FakeTypes::flexible_array(TypeRef element) {
  return add(make(TypeKind::array, "", 0, element));
}

const Type& FakeTypes::function(TypeRef result) {
  return add(make(TypeKind::function, "", 0, result));
}

TypeRef FakeTypes::named(std::string_view name) const {
  wanted_.emplace_back(name);
  return TypeRef(static_cast<const TypeLoader&>(*this), wanted_.size() - 1);
}

const Type& FakeTypes::load(std::uint64_t token) const {
  std::string_view name = wanted_.at(token);
  std::vector<TypeKind> kinds = {TypeKind::typedef_type, TypeKind::integer, TypeKind::structure,
                                 TypeKind::union_type, TypeKind::enumeration};
  for (const auto& [word, kind] : keywords) {
    if (!name.starts_with(word)) continue;
    name.remove_prefix(word.size());
    kinds = {kind};
  }
  for (const TypeKind kind : kinds) {
    const Type* found = find(kind, name);
    if (found != nullptr) return *found;
  }
  Type declaration = make(kinds.size() == 1 ? kinds[0] : TypeKind::structure, std::string(name), 0);
  declaration.is_complete = false;
  return types_.emplace_back(std::move(declaration));
}

const Type& FakeTypes::base(std::string_view name) const {
  return *by_name_.at({TypeKind::integer, std::string(name)});
}

const Type* FakeTypes::find(TypeKind kind, std::string_view name) const {
  const auto found =
      by_name_.find({kind, kind == TypeKind::integer ? base_type_name(name) : std::string(name)});
  return found == by_name_.end() ? nullptr : found->second;
}

std::vector<std::string> FakeTypes::names(TypeKind kind, std::string_view prefix,
                                          std::size_t limit) const {
  std::vector<std::string> names;
  for (const auto& [key, type] : by_name_) {
    if (names.size() == limit) break;
    if (key.first == kind && key.second.starts_with(prefix)) names.push_back(key.second);
  }
  return names;
}

}  // namespace kvmscope
