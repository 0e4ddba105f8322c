// Where the kernel keeps a thing: fields found by name, newest spelling first.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bits.hpp"
#include "core/memory/reader.hpp"
#include "core/types/types.hpp"

namespace kvmscope {

// Where a path such as "arch.active_mmu_pages" or "mem[2].base" leads; none when a step is not
// there or leaves its array. Throws Error{usage} on a path that is malformed.
std::optional<FoundMember> find_path(const Types& types, const Type& aggregate,
                                     std::string_view path);

struct Field {
  std::string_view structure = {};  // "struct kvm_mmu_page"
  std::string_view spelling = {};   // the one that this kernel has; empty: none of them
  const Type* type = nullptr;
  std::uint64_t offset = 0;      // bytes from the start of the structure
  std::uint64_t size = 0;        // bytes
  std::uint64_t bit_offset = 0;  // inside the bytes at `offset`, for a bit field
  std::uint64_t bit_size = 0;    // 0: not a bit field

  bool present() const { return type != nullptr; }
  // How many bits its value has.
  std::uint64_t width() const { return bit_size != 0 ? bit_size : 8 * size; }
  // The number of elements of an array field; 0 for a flexible one.
  std::uint64_t count() const;
  // The size of one element of an array field, bytes.
  std::uint64_t element_size() const;
};

// How one field was resolved, for `layout`.
struct Resolution {
  Field field;
  std::vector<std::string_view> spellings;
  bool required = true;
  std::string_view origin;  // which source the structure came from; empty: none has it
};

struct Span {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// The fields of one structure that kvmscope reads. A derived struct lists them
// as members with their spellings:
//
//   struct PageFields : FieldGroup {
//     explicit PageFields(const Types& types) : FieldGroup(types, "struct kvm_mmu_page") {}
//     Field spt = field({"spt"});
//   };
//
// A structure or a required field that is not there does not stop the others:
// it is reported when it is read.
class FieldGroup {
 public:
  const std::vector<Resolution>& resolutions() const { return resolutions_; }
  // Bytes that a copy has to hold, in order of offset.
  const std::vector<Span>& spans() const { return spans_; }
  std::string_view structure() const { return structure_; }
  std::uint64_t size() const { return size_; }  // of the structure; 0 when it is unknown

 protected:
  FieldGroup(const Types& types, std::string_view structure);
  Field field(std::initializer_list<std::string_view> spellings) {
    return resolve(spellings, true);
  }
  // A field that some kernels or configurations lack.
  Field optional(std::initializer_list<std::string_view> spellings) {
    return resolve(spellings, false);
  }
  // A field that is used for its address only (a list head, a big array): not copied.
  Field place(std::initializer_list<std::string_view> spellings) {
    return resolve(spellings, true, false);
  }
  Field optional_place(std::initializer_list<std::string_view> spellings) {
    return resolve(spellings, false, false);
  }

 private:
  Field resolve(std::initializer_list<std::string_view> spellings, bool required, bool copy = true);
  void cover(const Field& field);

  const Types& types_;
  std::string_view structure_;
  const Type* type_ = nullptr;
  std::string_view origin_;
  std::uint64_t size_ = 0;
  std::vector<Resolution> resolutions_;
  std::vector<Span> spans_;
};

// A copy of the fields of one structure in the target: one read per span, so
// that the fields of a span agree with each other.
class StructCopy {
 public:
  StructCopy(const FieldGroup& group, const VirtReader& memory, VirtAddr at);

  VirtAddr address() const { return at_; }
  // The field as an unsigned number (bit fields too, up to 8 bytes).
  // Throws Error{corrupt} when this kernel has no such field.
  std::uint64_t get(const Field& field) const {
    // Lists of thousands of structs are mostly this: with eight bytes to load, no size matters.
    const std::uint64_t at = field.offset - first_.offset;
    if (at < loadable_ && field.present() && field.size <= 8)
      return bits_of(field, load<std::uint64_t>(Bytes(small_).subspan(at)));
    return bits_of(field, load_unsigned(bytes(field)));
  }
  std::int64_t get_signed(const Field& field) const;
  // Element `index` of an array field of numbers. Throws on an index outside the array.
  std::uint64_t get(const Field& field, std::uint64_t index) const;
  // None: no such field.
  std::optional<std::uint64_t> find(const Field& field) const {
    return field.present() ? std::optional(get(field)) : std::nullopt;
  }
  VirtAddr pointer(const Field& field) const { return {get(field)}; }
  // The bytes of a field that do not matter by themselves (see Reader::peek()).
  Bytes peek(const Field& field) const { return copied_bytes(field, field.offset, field.size); }
  // The bytes of a field (an array, a string).
  Bytes bytes(const Field& field) const { return bytes(field, field.offset, field.size); }
  VirtAddr address_of(const Field& field) const;

 private:
  static std::uint64_t bits_of(const Field& field, std::uint64_t raw) {
    return (raw >> field.bit_offset) & low_bits(static_cast<unsigned>(field.width()));
  }
  Bytes bytes(const Field& field, std::uint64_t offset, std::uint64_t size) const {
    const Bytes found = copied_bytes(field, offset, size);
    if (tracker_ != nullptr) tracker_->used(at_ + offset, found, {field.structure, field.spelling});
    return found;
  }
  Bytes copied_bytes(const Field& field, std::uint64_t offset, std::uint64_t size) const {
    if (field.present() && offset >= first_.offset && offset + size <= first_.offset + first_.size)
      return data().subspan(offset - first_.offset, size);
    return later_bytes(field, offset, size);
  }
  Bytes later_bytes(const Field& field, std::uint64_t offset, std::uint64_t size) const;
  Bytes data() const { return large_.empty() ? Bytes(small_).first(size_) : Bytes(large_); }

  const FieldGroup* group_;
  Span first_;                  // of the group's
  std::uint64_t loadable_ = 0;  // where eight bytes of it can be loaded without telling the tracker
  VirtAddr at_;
  const VirtReader* tracker_ = nullptr;  // wants to know which fields matter
  // The spans, one after the other. Most structs are small, and there are many of them: no
  // allocation for those.
  std::uint64_t size_ = 0;
  std::array<std::byte, 256> small_;
  std::vector<std::byte> large_;
};

// Throws Error{corrupt} that says which member is missing.
void require(const Field& field);

// A text field: up to the first NUL, unprintable bytes as they are.
std::string text_of(Bytes bytes);

}  // namespace kvmscope
