// What a C type is: structs, members, bit fields, pointers, arrays, enums.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvmscope {

enum class TypeKind {
  void_type,
  integer,
  boolean,
  floating,
  pointer,
  array,
  structure,
  union_type,
  enumeration,
  typedef_type,
  function,
};

struct Type;

// Loads a type when it is first looked at, so that `struct kvm` does not drag in
// everything it points to. Implemented by each source of types.
class TypeLoader {
 public:
  virtual ~TypeLoader() = default;
  // The type behind `token`; lives as long as the loader.
  virtual const Type& load(std::uint64_t token) const = 0;
};

// A type, loaded or not. Cheap to copy; valid as long as its loader (or type) lives.
class TypeRef {
 public:
  TypeRef() = default;
  TypeRef(const Type& type) : type_(&type) {}  // NOLINT: a type is a reference to itself
  TypeRef(const TypeLoader& loader, std::uint64_t token) : loader_(&loader), token_(token) {}

  explicit operator bool() const { return type_ != nullptr || loader_ != nullptr; }
  // Precondition: not empty.
  const Type& get() const {
    if (type_ == nullptr) type_ = &loader_->load(token_);
    return *type_;
  }

 private:
  mutable const Type* type_ = nullptr;
  const TypeLoader* loader_ = nullptr;
  std::uint64_t token_ = 0;
};

struct Member {
  std::string name;              // empty: an anonymous struct or union
  TypeRef type;                  //
  std::uint64_t bit_offset = 0;  // from the start of the containing type, little endian
  std::uint64_t bit_size = 0;    // 0: not a bit field

  std::uint64_t byte_offset() const { return bit_offset / 8; }
};

struct Enumerator {
  std::string name;
  std::int64_t value = 0;
};

// Immutable once loaded; const and volatile are dropped on loading.
struct Type {
  TypeKind kind = TypeKind::void_type;
  std::string name = {};    // tag, typedef or base type name without keyword; may be empty
  std::uint64_t size = 0;   // bytes; 0 for void, functions, incomplete and flexible arrays
  bool is_signed = false;   // integers and enums
  bool is_complete = true;  // false: only declared here ("struct foo;")
  TypeRef target = {};      // pointee, element, aliased type, function result; empty: void
  std::optional<std::uint64_t> count = {};   // array length; none: flexible
  std::vector<Member> members = {};          // structure, union
  std::vector<Enumerator> enumerators = {};  // enumeration
};

// The type behind typedefs.
const Type& strip(const Type& type);
bool is_aggregate(const Type& type);  // struct or union, through typedefs
bool is_integral(const Type& type);   // integer, boolean or enum, through typedefs

// Where a member chain leads.
struct FoundMember {
  const Type* type = nullptr;
  std::uint64_t bit_offset = 0;
  std::uint64_t bit_size = 0;  // 0: not a bit field
};

// A direct member by name, looked for in anonymous structs and unions too; none when there is none.
std::optional<FoundMember> find_member(const Type& aggregate, std::string_view name);

// "struct kvm_vcpu", "unsigned long", "struct list_head *", "u64 [512]".
std::string type_name(const Type& type);
// A declaration: "struct list_head *next", "u64 spt[512]", "int (*fn)(…)".
std::string declaration(const Type& type, std::string_view name);

}  // namespace kvmscope
