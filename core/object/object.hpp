// A value of a C type: a number, or a place in target memory that is read on use.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/memory/reader.hpp"
#include "core/types/types.hpp"

namespace kvmscope {

// Memory of a target that is not there (offline): every read throws Error{unavailable}.
const VirtReader& no_memory();

// Cheap to copy. Keeps references to the types and the memory that it was made with. Reading
// throws Error{fault}; asking for what the type does not have throws Error{usage}.
class Object {
 public:
  // A number of a scalar type (integer, boolean, enum, pointer), cut to the type's size.
  static Object value(const Types& types, const VirtReader& memory, const Type& type,
                      std::uint64_t number);
  // What lies at `address`. A void type or a function is a place without a value.
  static Object reference(const Types& types, const VirtReader& memory, const Type& type,
                          VirtAddr address);
  // The same, with the types and the memory of this object.
  Object sibling_value(const Type& type, std::uint64_t number) const;
  Object sibling_reference(const Type& type, VirtAddr address) const;

  const Type& type() const { return *type_; }
  // The type behind typedefs, complete if any source of types has it.
  const Type& complete_type() const;
  const Types& types() const { return *types_; }
  const VirtReader& memory() const { return *memory_; }

  bool is_reference() const { return is_reference_; }
  bool is_bit_field() const { return bit_size_ != 0; }
  bool is_pointer() const { return kind() == TypeKind::pointer; }
  bool is_array() const { return kind() == TypeKind::array; }
  // Where it lies; none for a value and for a bit field.
  std::optional<VirtAddr> address() const;
  // Bits of a bit field, 0 when it is none.
  std::uint64_t bit_size() const { return bit_size_; }

  // ptr.name works as ptr->name, as in gdb. Looks into anonymous structs and unions.
  Object member(std::string_view name) const;
  Object arrow(std::string_view name) const;
  // "arch.mmu" or "prev_roots[1].hpa" below this object.
  Object at_path(std::string_view path) const;
  // What a type's Member describes, of this object; bit_size 0: no bit field.
  Object part(const Type& type, std::uint64_t bit_offset, std::uint64_t bit_size) const;
  // The element of an array, or of the array that a pointer points to. Not checked against the
  // array's length: the kernel's flexible arrays have none.
  Object index(std::int64_t index) const;
  Object dereference() const;
  Object address_of() const;
  // To a scalar or void; a reference to a struct only to its own type.
  Object cast(const Type& type) const;
  // The object of type `container` whose `path` this pointer points to.
  Object container_of(const Type& container, std::string_view path) const;

  // Arrays and functions as pointers to them; references to scalars as their value.
  Object decayed() const;

  // The number of a scalar, as 64 bits: a signed one is extended. Arrays and functions: their
  // address.
  std::uint64_t as_unsigned() const;
  std::int64_t as_signed() const { return static_cast<std::int64_t>(as_unsigned()); }
  bool as_bool() const { return as_unsigned() != 0; }
  // Whether as_unsigned() of this type is to be read as a signed number.
  bool is_signed() const;

  // The bytes of the whole object. Precondition: a reference, no bit field.
  std::vector<std::byte> bytes() const;
  // The same place, with all its memory read now, in one read: members come out of that copy.
  // Throws Error{usage} beyond 16 MiB.
  Object snapshot() const;
  bool is_snapshot() const { return copy_ != nullptr; }
  // What the object holds at `offset` bytes, from its copy or from memory.
  void read(std::uint64_t offset, MutableBytes into) const;

 private:
  struct Copy {
    VirtAddr start;
    std::vector<std::byte> bytes;
  };

  Object(const Types& types, const VirtReader& memory, const Type& type)
      : types_(&types), memory_(&memory), type_(&type) {}
  TypeKind kind() const { return strip(*type_).kind; }
  std::uint64_t load_bits() const;

  const Types* types_;
  const VirtReader* memory_;
  const Type* type_;
  bool is_reference_ = false;
  std::uint64_t number_ = 0;          // of a value; the address of a reference
  std::uint64_t bit_offset_ = 0;      // of a bit field, from the address: 0 to 7
  std::uint64_t bit_size_ = 0;        // 0: no bit field
  std::shared_ptr<const Copy> copy_;  // holds this object's memory, if it was read
};

// Bytes of a complete type; void and functions count 1, as in GNU C. Throws Error{usage} when
// the debug info only declares the type.
std::uint64_t size_of(const Types& types, const Type& type);
// Of a pointer or an array: what it points to or consists of.
const Type& target_of(const Type& pointer_or_array);
const Type& void_type();

}  // namespace kvmscope
