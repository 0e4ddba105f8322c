// Types made in memory, for tests without debug info.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/types/source.hpp"

namespace kvmscope {

// One member: {"spt", types.pointer("u64"), 48}, or a bit field whose first bit is bit 5 of the
// byte at 36 and that is 3 bits wide: {"quadrant", types.u32(), 36, 5, 3}. The name of a type
// instead of a type ("u64", "struct kvm") is looked up when the member is first used.
struct FakeMember {
  std::string name;  // empty: an anonymous struct or union
  TypeRef type;
  std::uint64_t byte_offset = 0;
  std::uint64_t first_bit = 0;
  std::uint64_t bit_size = 0;  // 0: not a bit field
};

// Knows C's base types, u8…u64, s8…s64, bool, list_head, hlist_head and hlist_node from the start.
// References stay valid as long as this object.
class FakeTypes : public TypeSource, private TypeLoader {
 public:
  FakeTypes();
  FakeTypes(const FakeTypes&) = delete;
  FakeTypes& operator=(const FakeTypes&) = delete;

  // A second definition of a name replaces the first. An empty name: anonymous.
  Type& structure(std::string name, std::uint64_t size, std::vector<FakeMember> members);
  Type& union_type(std::string name, std::uint64_t size, std::vector<FakeMember> members);
  Type& enumeration(std::string name, std::vector<Enumerator> enumerators, std::uint64_t size = 4);
  Type& typedef_to(std::string name, TypeRef target);
  // "struct foo;": not complete, and find() does not return it.
  Type& declared(TypeKind kind, std::string name);

  const Type& pointer(TypeRef target);
  // A pointer to a type that may be defined later.
  const Type& pointer(std::string_view target) { return pointer(named(target)); }
  const Type& void_pointer() { return pointer(TypeRef()); }
  const Type& array(TypeRef element, std::uint64_t count);
  const Type& flexible_array(TypeRef element);
  const Type& function(TypeRef result = {});

  // Base types, and any type by name ("unsigned long", "u64", "kvm", "struct kvm"); a name that
  // nobody defined is a struct that is only declared.
  TypeRef named(std::string_view name) const;
  const Type& u8() const { return base("unsigned char"); }
  const Type& u16() const { return base("unsigned short"); }
  const Type& u32() const { return base("unsigned int"); }
  const Type& u64() const { return base("unsigned long"); }
  const Type& s8() const { return base("signed char"); }
  const Type& s16() const { return base("short"); }
  const Type& s32() const { return base("int"); }
  const Type& s64() const { return base("long"); }
  const Type& character() const { return base("char"); }
  const Type& boolean() const { return base("_Bool"); }

  const Type* find(TypeKind kind, std::string_view name) const override;
  std::vector<std::string> names(TypeKind kind, std::string_view prefix,
                                 std::size_t limit) const override;

 private:
  const Type& load(std::uint64_t token) const override;
  const Type& base(std::string_view name) const;
  Type& add(Type type);
  Type& aggregate(TypeKind kind, std::string name, std::uint64_t size,
                  std::vector<FakeMember> members);

  mutable std::deque<Type> types_;
  mutable std::deque<std::string> wanted_;  // names handed out as TypeRef; the index is the token
  std::map<std::pair<TypeKind, std::string>, Type*> by_name_;
};

}  // namespace kvmscope
